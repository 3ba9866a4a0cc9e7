//! `bolide config`: prints what is in force and where each value comes from.
//!
//! What is printed is a file for `--config`, but for secrets: whether they are set is told in a comment.

use std::io::Write as _;

use clap::Arg;

use super::{Configuration, Origin};
use crate::serve::Outcome;

pub(crate) fn run(configuration: &Configuration) -> Outcome {
    let mut output = std::io::stdout().lock();
    for line in lines(configuration) {
        writeln!(output, "{line}")?;
    }
    Ok(())
}

/// Returns a line for each flag.
pub(super) fn lines(configuration: &Configuration) -> Vec<String> {
    configuration.flags().map(|(name, flag)| line(configuration, name, flag)).collect()
}

fn line(configuration: &Configuration, name: &str, flag: &Arg) -> String {
    let values = configuration.values(flag);
    let origin = match configuration.origin(name, flag) {
        Origin::Flag => "the command line".to_owned(),
        Origin::Environment(variable) => format!("the environment variable {variable}"),
        Origin::Line(line) => format!("line {line} of the file"),
        Origin::Default => "the default".to_owned(),
    };
    match values.as_slice() {
        [] => format!("# {name} is not set"),
        _ if flag.is_hide_env_values_set() => format!("# {name} is set, from {origin}"),
        [one] if !matches!(flag.get_action(), clap::ArgAction::Append) => format!("{name} = {} # {origin}", value(one)),
        all => {
            let all: Vec<_> = all.iter().map(|text| value(text)).collect();
            format!("{name} = [{}] # {origin}", all.join(", "))
        }
    }
}

/// Returns a value in TOML: a number or `true` as it is, anything else as a text.
fn value(text: &str) -> String {
    let is_number = text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
        || text.parse::<f64>().is_ok_and(|number| number.is_finite() && format!("{number:?}") == text);
    if is_number || matches!(text, "true" | "false") { text.to_owned() } else { quoted(text) }
}

/// Returns a basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            control if control.is_control() => quoted.extend(format!("\\u{:04X}", u32::from(control)).chars()),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
