//! Checks the environment of an operator's command: an unknown variable `BOLIDE_…` is an error, since with a misspelled
//! name the default would be used silently.

use std::collections::BTreeSet;

use clap::Command;

const PREFIX: &str = "BOLIDE_";

/// Variables of this repository's tests, which the program ignores.
const OF_TESTS: [&str; 3] = ["BOLIDE_CHAT", "BOLIDE_CONFORMANCE_SERVER", "BOLIDE_QUICKSTART"];

/// Returns an error if a variable begins with the prefix and does not belong to a flag or a setting.
pub(crate) fn check(command: &Command) -> Result<(), String> {
    let known = known(command);
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    match names.filter(|name| !is_known(name, &known)).min() {
        Some(unknown) => Err(format!(
            "the environment variable {unknown} is unknown; the known ones are {}, and {}ID for each setting",
            known.into_iter().collect::<Vec<_>>().join(", "),
            bolide::settings::ENVIRONMENT_PREFIX
        )),
        None => Ok(()),
    }
}

fn is_known(name: &str, known: &BTreeSet<String>) -> bool {
    // Whether the setting exists is checked where settings are read.
    let is_setting = name.starts_with(bolide::settings::ENVIRONMENT_PREFIX);
    !name.starts_with(PREFIX) || is_setting || known.contains(name) || OF_TESTS.contains(&name)
}

/// Returns the variables of all flags of all commands.
fn known(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned));
    let own: BTreeSet<String> = own.filter(|name| name.starts_with(PREFIX)).collect();
    command.get_subcommands().map(known).fold(own, |mut all, some| {
        all.extend(some);
        all
    })
}
