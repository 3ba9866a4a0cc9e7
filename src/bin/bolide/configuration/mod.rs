//! What is in force: the flags of the command line, then the variables of the environment, then the file of `--config`,
//! then the defaults.
//!
//! - this file: adds to the command line what only the file says, so that one parser checks all values;
//! - [`file`]: reads the file, whose keys are the names of the flags;
//! - [`secrets`]: tells whether the file shows its secrets to all users;
//! - [`show`]: prints what is in force, and from where.

mod file;
mod secrets;
pub(crate) mod show;

use std::error::Error as _;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use file::{ConfigFile, Setting};

/// The id of the flag that names the file. A command with such a flag can be configured by the file.
const FILE_FLAG: &str = "config";

/// The arguments of the program with those that its file adds.
pub(crate) struct Configuration {
    matches: ArgMatches,
    /// The command with its flags. `None` if it cannot be configured by a file.
    command: Option<Command>,
    /// What the file says and neither the command line nor the environment.
    from_file: Vec<Setting>,
    /// A sentence, if all users can read secrets in the file.
    exposed: Option<String>,
}

/// Why the arguments are refused.
#[derive(Debug)]
pub(crate) enum Refused {
    /// By the command line or the environment. It is also what `--help` prints.
    Arguments(clap::Error),
    /// By the file. A sentence.
    File(String),
}

/// Where the value of a flag comes from.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    Flag,
    Environment(String),
    Line(usize),
    Default,
}

impl Configuration {
    /// Reads the arguments, the environment, and the file that they name.
    pub(crate) fn read(program: &Command, arguments: &[OsString]) -> Result<Self, Refused> {
        let Some((command, found)) = configurable(program, arguments) else {
            let matches = program.clone().try_get_matches_from(arguments).map_err(Refused::Arguments)?;
            return Ok(Self { matches, command: None, from_file: Vec::new(), exposed: None });
        };
        let path = found.try_get_one::<PathBuf>(FILE_FLAG).ok().flatten();
        let file = path.map(|path| ConfigFile::read(path, &command)).transpose().map_err(Refused::File)?;
        let exposed = path.zip(file.as_ref()).and_then(|(path, file)| secrets::exposed(path, file, &command));
        let (name, settings) = file.map_or_else(Default::default, |file| (file.name, file.settings));
        let from_file: Vec<_> = settings.into_iter().filter(|setting| !is_set(&command, &found, setting)).collect();
        let added = from_file.iter().flat_map(Setting::arguments);
        let all = arguments.iter().cloned().chain(added);
        let matches =
            program.clone().try_get_matches_from(all).map_err(|error| explain(error, &name, &command, &from_file))?;
        Ok(Self { matches, command: Some(command), from_file, exposed })
    }

    pub(crate) const fn matches(&self) -> &ArgMatches {
        &self.matches
    }

    /// Returns a sentence if all users of the machine can read secrets in the file.
    pub(crate) fn exposed(&self) -> Option<&str> {
        self.exposed.as_deref()
    }

    /// Returns the names of the flags whose values differ.
    pub(crate) fn differences<'own>(&'own self, other: &'own Self) -> impl Iterator<Item = &'own str> {
        self.flags().filter(|(_, flag)| self.values(flag) != other.values(flag)).map(|(name, _)| name)
    }

    /// Returns the flags of the command, without the one that names the file.
    fn flags(&self) -> impl Iterator<Item = (&str, &Arg)> {
        self.command.iter().flat_map(file::flags)
    }

    /// Returns the values of a flag as they were written. Empty if it has none.
    fn values(&self, flag: &Arg) -> Vec<String> {
        let Some((_, matches)) = self.matches.subcommand() else { return Vec::new() };
        let values = matches.get_raw(flag.get_id().as_str()).into_iter().flatten();
        values.map(|value| value.to_string_lossy().into_owned()).collect()
    }

    fn origin(&self, name: &str, flag: &Arg) -> Origin {
        if let Some(setting) = self.from_file.iter().find(|setting| setting.name == name) {
            return Origin::Line(setting.line);
        }
        let matches = self.matches.subcommand().map(|(_, matches)| matches);
        match matches.and_then(|matches| matches.value_source(flag.get_id().as_str())) {
            Some(ValueSource::CommandLine) => Origin::Flag,
            Some(ValueSource::EnvVariable) => {
                Origin::Environment(flag.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
            }
            _ => Origin::Default,
        }
    }
}

impl Refused {
    /// Prints why, and ends the process as the parser of the arguments does.
    pub(crate) fn exit(&self) -> ! {
        match self {
            Self::Arguments(error) => error.exit(),
            Self::File(sentence) => {
                clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{sentence}\n")).exit()
            }
        }
    }
}

/// Shows the reason without what else a parser prints, such as the usage.
impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments(error) => formatter.write_str(&reason(error)),
            Self::File(sentence) => formatter.write_str(sentence),
        }
    }
}

/// Returns the command that the arguments name with what they say, if it can be configured by a file. What they say wrongly
/// is left to the parser, which sees them again.
fn configurable(program: &Command, arguments: &[OsString]) -> Option<(Command, ArgMatches)> {
    let found = program.clone().ignore_errors(true).try_get_matches_from(arguments).ok()?;
    let (name, found) = found.subcommand()?;
    let command = program.find_subcommand(name)?;
    let has_file = command.get_arguments().any(|flag| flag.get_id() == FILE_FLAG);
    has_file.then(|| (command.clone(), found.clone()))
}

/// Returns whether the command line or the environment says what the setting says. A malformed variable counts, since it
/// is to be refused.
fn is_set(command: &Command, found: &ArgMatches, setting: &Setting) -> bool {
    let Some((_, flag)) = file::flags(command).find(|(name, _)| *name == setting.name) else { return false };
    let is_flag = found.value_source(flag.get_id().as_str()) == Some(ValueSource::CommandLine);
    is_flag || flag.get_env().is_some_and(|name| std::env::var_os(name).is_some())
}

/// Names the line of the file if the value that is refused comes from there. A secret is not quoted.
fn explain(mut error: clap::Error, file: &str, command: &Command, settings: &[Setting]) -> Refused {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return Refused::Arguments(error);
    };
    let named = argument.split_whitespace().next().and_then(|flag| flag.strip_prefix("--")).unwrap_or_default();
    let is_hidden = file::flags(command).any(|(name, flag)| name == named && flag.is_hide_env_values_set());
    let Some(setting) = settings.iter().find(|setting| setting.name == named) else {
        if is_hidden {
            error.insert(ContextKind::InvalidValue, ContextValue::String("(not shown)".to_owned()));
        }
        return Refused::Arguments(error);
    };
    let reason = match error.source() {
        Some(source) if is_hidden => format!("invalid value for '{argument}': {source}"),
        _ => reason(&error),
    };
    Refused::File(format!("{file}, line {}: {reason}", setting.line))
}

/// Returns the first sentence of what a parser says.
fn reason(error: &clap::Error) -> String {
    let text = error.to_string();
    text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
