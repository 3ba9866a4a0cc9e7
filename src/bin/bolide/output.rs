//! What commands print, and the exit codes that tell scripts how they ended.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use bolide::client::{CallError, ConnectError};
use bolide::protocol::ejson::{CustomTypes, Indent};
use bolide::protocol::{DdpError, Ejson};

use crate::terminal;

/// The text of `--help` about exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    success
  1    the server returned an error
  2    the command line is wrong
  3    the server cannot be reached, or the connection was lost
  4    the second factor was cancelled, or there were too many wrong codes
  5    the command took longer than --timeout
  130  interrupted";

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Usage(String),
    Call(CallError),
    /// Calls of `bolide bench` failed, the first of them with this error.
    Load(String),
    Timeout,
    Interrupted,
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::Call(error.into())
    }
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Call(CallError::Connect(ConnectError::Address(_)) | CallError::Parameters(_)) => 2,
            Self::Call(CallError::TwoFactorCanceled(_)) => 4,
            Self::Call(CallError::Server(error)) if is_second_factor(error) => 4,
            Self::Load(_)
            | Self::Call(
                CallError::Server(_)
                | CallError::Refused(_)
                | CallError::Answer(_)
                | CallError::Result(_)
                | CallError::Http(_),
            ) => 1,
            Self::Call(_) => 3,
            Self::Timeout => 5,
            Self::Interrupted => 130,
        }
    }

    /// Returns whether it is an error that the server returned.
    pub(crate) const fn is_answer(&self) -> bool {
        matches!(self, Self::Call(CallError::Server(_)))
    }

    fn message(&self) -> String {
        match self {
            Self::Usage(message) => message.clone(),
            Self::Call(CallError::Closed(Some(reason))) => reason.to_string(),
            Self::Call(error) => error.to_string(),
            Self::Load(error) => format!("calls failed; the first error: {error}"),
            Self::Timeout => "timeout; --timeout changes it".to_owned(),
            Self::Interrupted => "interrupted".to_owned(),
        }
    }
}

fn is_second_factor(error: &DdpError) -> bool {
    matches!(error.error.to_string().as_str(), "totp-required" | "totp-invalid" | "totp-max-attempts")
}

/// Runs a command until it ends or the user interrupts it. If it fails, prints why to standard error and exits.
pub(crate) async fn finish(command: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let outcome = tokio::select! {
        outcome = command => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    };
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    terminal::leave_as_it_was();
    complain(&failure);
    // A thread may still wait for input; exiting does not wait for it.
    std::process::exit(failure.exit_code().into())
}

fn complain(failure: &Failure) {
    let mut errors = io::stderr().lock();
    let name = painted(errors.is_terminal(), Paint::Red, "bolide");
    // Standard error may be closed; the exit code tells as well.
    let _closed = writeln!(errors, "{name}: {}", harmless(&failure.message()));
    if let Failure::Call(CallError::Server(DdpError { details: Some(details), .. })) = failure {
        let _closed = writeln!(errors, "  details: {}", harmless(details.get()));
    }
}

/// Replaces control characters of a server's text, which could move the cursor or change the terminal's behaviour, and
/// those that change the direction of what follows, which could disguise it.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|shown| if shown.is_control() || is_bidirectional(shown) { '\u{fffd}' } else { shown }).collect()
}

/// Returns whether a character changes the direction of text: the marks, embeddings, overrides and isolates of Unicode.
const fn is_bidirectional(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Prints a warning to standard error.
pub(crate) fn warn(sentence: &str) {
    let mut errors = io::stderr().lock();
    let name = painted(errors.is_terminal(), Paint::Yellow, "warning");
    let _closed = writeln!(errors, "{name}: {}", harmless(sentence));
}

/// Prints a line. A closed standard output is not an error.
pub(crate) fn print_line(line: &str) {
    let _closed = writeln!(io::stdout().lock(), "{line}");
}

/// Formats EJSON for standard output: indented and coloured on a terminal, otherwise as one line.
pub(crate) fn for_reader(json: &str) -> String {
    let is_terminal = io::stdout().is_terminal();
    let indent = if is_terminal { Indent::Spaces(2) } else { Indent::None };
    let printed = Ejson::parse(json, &CustomTypes::default()).map(|value| value.to_indented_string(indent));
    let printed = printed.unwrap_or_else(|_| json.to_owned());
    if !is_terminal {
        return printed;
    }
    let lines: Vec<String> = printed.lines().map(harmless).collect();
    paint_json(&lines.join("\n"))
}

#[derive(Clone, Copy)]
pub(crate) enum Paint {
    Red,
    Green,
    Yellow,
    Blue,
    Bold,
}

pub(crate) fn painted(on_terminal: bool, paint: Paint, text: &str) -> String {
    if !on_terminal || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Red => 31,
        Paint::Green => 32,
        Paint::Yellow => 33,
        Paint::Blue => 34,
        Paint::Bold => 1,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Colours the names, strings and other values of JSON.
fn paint_json(json: &str) -> String {
    let mut painted_json = String::with_capacity(json.len() * 2);
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let (length, paint) = match first {
            '"' => {
                let length = end_of_string(rest);
                let is_name = rest[length..].starts_with(':');
                (length, Some(if is_name { Paint::Blue } else { Paint::Green }))
            }
            '-' | '0'..='9' | 'a'..='z' => {
                let end = rest.find([',', ']', '}', '\n']).unwrap_or(rest.len());
                (end, Some(Paint::Yellow))
            }
            other => (other.len_utf8(), None),
        };
        let (piece, after) = rest.split_at(length);
        match paint {
            Some(paint) => painted_json.push_str(&painted(true, paint, piece)),
            None => painted_json.push_str(piece),
        }
        rest = after;
    }
    painted_json
}

/// Returns the index at which the JSON string at the beginning of `text` ends.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}
