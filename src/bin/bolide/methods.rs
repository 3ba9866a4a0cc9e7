//! `bolide methods`: lists the methods and endpoints of `bolide serve` with their two-factor policies.

use std::io::Write as _;

use bolide::App;
use bolide::accounts::Accounts;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::store::SqlStore;

use super::serve::Outcome;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Lists only those that can ask for a second factor
    #[arg(long)]
    gated: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let store = SqlStore::open("sqlite::memory:").await?;
    let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await?;
    let app = App::builder().accounts(accounts).build()?;
    let mut output = std::io::stdout().lock();
    for method in app.methods().into_iter().filter(|method| !arguments.gated || method.policy.requirement().is_some()) {
        let verb = method.kind.verb().unwrap_or("method");
        writeln!(output, "{verb}\t{}\t{}", method.name, method.policy)?;
    }
    Ok(())
}
