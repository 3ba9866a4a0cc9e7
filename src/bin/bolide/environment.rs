//! The environment of an operator's command: a variable `BOLIDE_…` that nobody reads is a mistake, such as a letter too
//! many, and the default would count in silence.

use std::collections::BTreeSet;

use clap::Command;

const PREFIX: &str = "BOLIDE_";

/// What the tests of this repository tell each other; it changes nothing here.
const OF_TESTS: [&str; 2] = ["BOLIDE_CONFORMANCE_SERVER", "BOLIDE_QUICKSTART"];

/// Refuses variables that begin like ours and belong to no flag and no setting.
pub(crate) fn check(command: &Command) -> Result<(), String> {
    let known = known(command);
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    match names.filter(|name| !is_known(name, &known)).min() {
        Some(unknown) => Err(format!(
            "the environment variable {unknown} is unknown; there are {}, and {}ID for each setting",
            known.into_iter().collect::<Vec<_>>().join(", "),
            bolide::settings::ENVIRONMENT_PREFIX
        )),
        None => Ok(()),
    }
}

fn is_known(name: &str, known: &BTreeSet<String>) -> bool {
    // Whether there is such a setting is asked where settings are read.
    let is_setting = name.starts_with(bolide::settings::ENVIRONMENT_PREFIX);
    !name.starts_with(PREFIX) || is_setting || known.contains(name) || OF_TESTS.contains(&name)
}

/// The variables of all flags, whatever the command.
fn known(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned));
    let own: BTreeSet<String> = own.filter(|name| name.starts_with(PREFIX)).collect();
    command.get_subcommands().map(known).fold(own, |mut all, some| {
        all.extend(some);
        all
    })
}
