//! [`ConfigFile`]: a file in TOML whose keys are the names of a command's flags.

use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, ArgAction, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::FILE_FLAG;

/// What a file says.
pub(super) struct ConfigFile {
    /// The file as the operator has named it.
    pub(super) name: String,
    pub(super) settings: Vec<Setting>,
}

/// A line of the file: a flag with its values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The name of the flag, without hyphens in front.
    pub(super) name: String,
    pub(super) line: usize,
    given: Given,
}

#[derive(Debug, PartialEq, Eq)]
enum Given {
    /// Whether a flag without a value is given.
    Switch(bool),
    Values(Vec<String>),
}

/// What a flag takes.
enum Takes<'flag> {
    Switch,
    /// One value, with the name that the help has for it.
    One(&'flag str),
    Several(&'flag str),
}

impl ConfigFile {
    /// Reads a file with the flags of `command`. The error is a sentence.
    pub(super) fn read(path: &Path, command: &Command) -> Result<Self, String> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("the file {name} cannot be read ({error}); --config sets another"))?;
        let settings = parse(&text, command).map_err(|(line, reason)| format!("{name}, line {line}: {reason}"))?;
        Ok(Self { name, settings })
    }
}

impl Setting {
    /// Returns the setting as arguments of the command line.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let name = &self.name;
        match &self.given {
            Given::Switch(is_on) => is_on.then(|| format!("--{name}").into()).into_iter().collect(),
            Given::Values(values) => values.iter().map(|value| format!("--{name}={value}").into()).collect(),
        }
    }

    pub(super) fn values(&self) -> &[String] {
        match &self.given {
            Given::Switch(_) => &[],
            Given::Values(values) => values,
        }
    }
}

/// Returns the flags of a command that its file may set, with their names.
pub(super) fn flags(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    let flags = command.get_arguments().filter(|flag| flag.get_id() != FILE_FLAG);
    flags.filter_map(|flag| Some((flag.get_long()?, flag))).filter(|(name, _)| !matches!(*name, "help" | "version"))
}

/// Parses the text. An error has its line.
fn parse(text: &str, command: &Command) -> Result<Vec<Setting>, (usize, String)> {
    let line = |offset: usize| 1 + text.get(..offset).unwrap_or(text).matches('\n').count();
    let table = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        (line(offset), error.message().to_owned())
    })?;
    let mut settings = Vec::new();
    for (key, value) in table.get_ref() {
        let line = line(key.span().start);
        let given = given(key.get_ref(), value, command).map_err(|reason| (line, reason))?;
        settings.push(Setting { name: key.get_ref().to_string(), line, given });
    }
    settings.sort_by_key(|setting| setting.line);
    Ok(settings)
}

fn given(key: &str, value: &Spanned<DeValue<'_>>, command: &Command) -> Result<Given, String> {
    let Some((_, flag)) = flags(command).find(|(name, _)| *name == key) else { return Err(unknown(key, command)) };
    let value = value.get_ref();
    let refused = |takes: &str| format!("`{key}` takes {takes}, not {}", kind(value));
    match (Takes::of(flag), value) {
        (Takes::Switch, DeValue::Boolean(is_on)) => Ok(Given::Switch(*is_on)),
        (Takes::Switch, _) => Err(refused("true or false")),
        (Takes::One(name), value) => {
            Ok(Given::Values(vec![scalar(value).ok_or_else(|| refused(&format!("one {name}")))?]))
        }
        (Takes::Several(name), value) => {
            let values = match value {
                DeValue::Array(values) => values.iter().map(|value| scalar(value.get_ref())).collect(),
                value => scalar(value).map(|value| vec![value]),
            };
            Ok(Given::Values(values.ok_or_else(|| refused(&format!("a list of {name}, such as [\"…\", \"…\"]")))?))
        }
    }
}

impl<'flag> Takes<'flag> {
    fn of(flag: &'flag Arg) -> Self {
        let name = flag.get_value_names().and_then(|names| names.first()).map_or("value", |name| name.as_str());
        match flag.get_action() {
            ArgAction::SetTrue => Self::Switch,
            ArgAction::Append => Self::Several(name),
            _ => Self::One(name),
        }
    }
}

/// Returns a text or a number as it is written on the command line.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "such a list",
        DeValue::Table(_) => "a table",
    }
}

fn unknown(key: &str, command: &Command) -> String {
    match flags(command).map(|(name, _)| name).min_by_key(|name| distance(key, name)) {
        Some(nearest) => format!("`{key}` is unknown; the nearest name is `{nearest}`"),
        None => format!("`{key}` is unknown"),
    }
}

/// Returns how many letters have to be added, left out or replaced to turn one name into the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (place, letter) in one.chars().enumerate() {
        let mut above_left = std::mem::replace(&mut row[0], place + 1);
        for (column, of_other) in other.chars().enumerate() {
            let replaced = above_left + usize::from(letter != of_other);
            above_left = row[column + 1];
            row[column + 1] = replaced.min(above_left + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
