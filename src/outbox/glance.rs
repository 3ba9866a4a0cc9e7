//! [`Glance`]: what the driver of a session looks at in each of its turns, readable without the lock of the outbox.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Condition, Pressure};

/// The lowest bits are the condition, the next one is set if the pressure is high, then one if the outbox is detached, and
/// the others are the waiting bytes.
#[derive(Default)]
pub(super) struct Glance(AtomicU64);

const CONDITION: u64 = 0b11;
const IS_HIGH: u64 = 0b100;
const IS_DETACHED: u64 = 0b1000;
const BYTES: u32 = 4;

impl Glance {
    /// Called while the state is locked.
    pub(super) fn note(&self, condition: Condition, pressure: Pressure, is_detached: bool) {
        let condition = match condition {
            Condition::Good => 0,
            Condition::Overflowed => 1,
            Condition::Broken => 2,
            Condition::Ended => 3,
        };
        let bytes = u64::try_from(pressure.bytes).unwrap_or(u64::MAX);
        let is_high = if pressure.is_high { IS_HIGH } else { 0 };
        let is_detached = if is_detached { IS_DETACHED } else { 0 };
        self.0.store(bytes << BYTES | is_detached | is_high | condition, Ordering::Release);
    }

    pub(super) fn condition(&self) -> Condition {
        match self.0.load(Ordering::Acquire) & CONDITION {
            0 => Condition::Good,
            1 => Condition::Overflowed,
            2 => Condition::Broken,
            _ => Condition::Ended,
        }
    }

    pub(super) fn is_detached(&self) -> bool {
        self.0.load(Ordering::Acquire) & IS_DETACHED != 0
    }

    pub(super) fn pressure(&self) -> Pressure {
        let noted = self.0.load(Ordering::Acquire);
        Pressure { bytes: usize::try_from(noted >> BYTES).unwrap_or(usize::MAX), is_high: noted & IS_HIGH != 0 }
    }
}
