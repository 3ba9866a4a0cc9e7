//! A test of the rig itself: on a healthy cluster, each thing that must not be is forged, and must be found.

use std::path::PathBuf;
use std::time::Duration;

use crate::chaos::Chaos;
use crate::faults::Fault;
use crate::proxy::Link;

/// How long a check waits until everything is right.
const REST: Duration = Duration::from_secs(2);

/// Forges, and fails if a check does not notice.
pub(crate) async fn run(program: PathBuf) -> anyhow::Result<()> {
    let mut chaos = Chaos::start(program, 1).await?;
    let nothing = chaos.round(&vec![], true).await?;
    anyhow::ensure!(nothing.is_empty(), "without a fault: {nothing:?}");

    let cut = vec![(Fault::ToClient(0, Link::Cut), Duration::ZERO, Duration::from_millis(200))];
    expect("a lost connection", "were disconnected", &chaos.round(&cut, true).await?)?;

    let changed = "UPDATE documents SET fields = replace(fields, '\"group\":', '\"forged\":') WHERE id = 'shared-1'";
    sqlx::query(changed).execute(&chaos.cluster.pool).await?;
    expect("a view that differs from the table", "All: shared-1", &chaos.check(REST).await?)?;

    let removed = "UPDATE documents SET fields = NULL WHERE id = 'shared-2'";
    sqlx::query(removed).execute(&chaos.cluster.pool).await?;
    expect("a lost write", "shared-2.rank is missing", &chaos.check(REST).await?)?;

    chaos.sessions.forge_a_revocation();
    expect("a revoked session that answers", "a session of a revoked token answers", &chaos.check(REST).await?)?;

    chaos.mails.forge_a_promise();
    expect("a lost mail", "was promised a mail", &chaos.check(REST).await?)?;

    chaos.codes.forge_a_reuse().await;
    expect("a code that is used twice", "was taken 2 times", &chaos.check(REST).await?)?;
    println!("7 passed, 0 failed, 0 skipped");
    Ok(())
}

fn expect(what: &str, found: &str, wrong: &[String]) -> anyhow::Result<()> {
    anyhow::ensure!(wrong.iter().any(|wrong| wrong.contains(found)), "{what} is not noticed: {wrong:?}");
    println!("noticed: {what}");
    Ok(())
}
