//! The sweep: removes tokens, codes, audit entries and counters that have ended.

use std::sync::Weak;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::AccountsCore;
use crate::call::MethodResult;
use crate::clock::Timestamp;
use crate::settings::AUDIT_DAYS;

/// The time between two sweeps.
const INTERVAL: Duration = Duration::from_mins(10);

/// The time for which counters are kept after the last failure.
const KEPT_COUNTERS: Duration = Duration::from_hours(48);

/// Sweeps regularly, until the app stops or the accounts are dropped.
pub(super) async fn sweep_regularly(core: Weak<AccountsCore>, stopped: CancellationToken) {
    while stopped.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        let Some(core) = core.upgrade() else { return };
        if let Err(error) = sweep(&core).await {
            tracing::error!(%error, "what has ended cannot be swept away");
        }
    }
}

async fn sweep(core: &AccountsCore) -> MethodResult<()> {
    let now = core.clock.now();
    core.tokens.sweep().await?;
    core.store.delete_expired_codes(now).await?;
    let days = u64::try_from(core.settings.get(&AUDIT_DAYS)).unwrap_or(365);
    let kept_audit = Duration::from_hours(24).saturating_mul(days.try_into().unwrap_or(u32::MAX));
    core.store.delete_audit(before(now, kept_audit)).await?;
    core.store.delete_old_failures(before(now, KEPT_COUNTERS), now, core.failure_counters).await?;
    Ok(())
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    Timestamp::from_milliseconds(now.milliseconds() - i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}
