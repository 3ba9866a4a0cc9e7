//! [`Pace`]: how fast a copy may be, so that those who use the source at the same time are not kept waiting.

use tokio::time::Instant;

use super::super::layer::{SqlError, Transaction, query};
use super::page::Cell;
use crate::store::backup::Rate;

/// The bytes that were copied, and how many may be copied in a second.
pub(in crate::store) struct Pace {
    rate: Option<Rate>,
    started: Instant,
    bytes: u64,
}

impl Pace {
    /// Returns a pace without pauses.
    pub(in crate::store) fn unlimited() -> Self {
        Self::of(None)
    }

    /// Returns a pace that begins now. `None` is without pauses.
    pub(in crate::store) fn of(rate: Option<Rate>) -> Self {
        Self { rate, started: Instant::now(), bytes: 0 }
    }

    /// Keeps a server from ending a transaction that pauses.
    pub(super) async fn allow_pauses(&self, from: &mut Transaction) -> Result<(), SqlError> {
        let (Some(_), Transaction::Postgres(..)) = (self.rate, &*from) else { return Ok(()) };
        query("SET LOCAL idle_in_transaction_session_timeout = 0").execute(from).await.map(drop)
    }

    /// Waits until the next rows may be copied.
    pub(super) async fn wait_after(&mut self, rows: &[Vec<Cell>]) {
        let Some(rate) = self.rate else { return };
        self.bytes += rows.iter().flatten().map(Cell::bytes).sum::<u64>();
        tokio::time::sleep(rate.pause(self.bytes, self.started.elapsed())).await;
    }
}
