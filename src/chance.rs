//! [`Chance`]: the source of randomness for ids and secrets. It is injected, so that a test can decide it.

use std::convert::Infallible;

use rand::{Rng as _, TryRng};

/// A cryptographically secure source of random bytes.
pub trait Chance: Send + Sync + 'static {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// The thread-local generator of `rand`, which the operating system seeds.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads system randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

/// Adapts a [`Chance`] to the generators of `rand`.
#[cfg_attr(not(feature = "server"), expect(dead_code, reason = "only the server generates ids"))]
pub(crate) struct Generator<'source>(pub(crate) &'source dyn Chance);

impl TryRng for Generator<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}
