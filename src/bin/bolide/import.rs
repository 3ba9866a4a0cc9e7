//! `bolide user import`: imports the users of a Meteor or Rocket.Chat server.

use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;

use bolide::accounts::{AccountsHandle, Import, ImportError, Imported};
use bolide::store::Totp;

use super::export::ExportFile;
use super::serve::Outcome;
use crate::output::harmless;

/// Whether users are stored, or only checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Store,
    Check,
}

/// What was found in the documents.
#[derive(Default)]
struct Counts {
    added: u64,
    already_there: u64,
    refused: u64,
    with_warnings: u64,
    passwords: u64,
    apps: u64,
    email_codes: u64,
    tokens: usize,
}

/// Imports a file; `-` is standard input. Documents that cannot be imported are reported, and the others are imported.
pub(crate) async fn run(file: &Path, accounts: &AccountsHandle, mode: Mode) -> Outcome {
    let failed = |error: io::Error| format!("the file {} cannot be read: {error}", file.display());
    let input: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(file).map_err(failed)?),
    };
    let mut documents = ExportFile::new(BufReader::new(input));
    let mut counts = Counts::default();
    while let Some((line, document)) = documents.next().map_err(failed)? {
        let text = match document {
            Ok(text) => text,
            Err(reason) => {
                counts.refuse(line, &reason)?;
                continue;
            }
        };
        let outcome = match mode {
            Mode::Store => accounts.import(&text).await,
            Mode::Check => accounts.check_import(&text).await,
        };
        match outcome {
            Ok(import) => counts.take(line, &import)?,
            // All further documents would fail as well.
            Err(ImportError::Store(error)) => return Err(format!("line {line}: {error}").into()),
            Err(error) => counts.refuse(line, &error.to_string())?,
        }
    }
    counts.report(mode)
}

impl Counts {
    fn take(&mut self, line: u64, import: &Import) -> io::Result<()> {
        if import.outcome == Imported::AlreadyThere {
            self.already_there += 1;
            return Ok(());
        }
        let user = &import.user;
        self.added += 1;
        self.with_warnings += u64::from(!import.warnings.is_empty());
        self.passwords += u64::from(user.password.is_some());
        self.apps += u64::from(matches!(user.totp, Totp::On(_)));
        self.email_codes += u64::from(user.has_email_codes);
        self.tokens += import.tokens;
        let address = user.emails.first().map(|email| email.address.as_str());
        let name = harmless(user.username.as_deref().or(address).unwrap_or(user.id.as_str()));
        for warning in &import.warnings {
            writeln!(io::stderr(), "line {line}: {name}: {warning}")?;
        }
        Ok(())
    }

    fn refuse(&mut self, line: u64, reason: &str) -> io::Result<()> {
        self.refused += 1;
        writeln!(io::stderr(), "line {line}: {reason}")
    }

    fn report(&self, mode: Mode) -> Outcome {
        let Self { added, already_there, refused, with_warnings, passwords, apps, email_codes, tokens } = self;
        let done = match mode {
            Mode::Store => "imported",
            Mode::Check => "would be imported",
        };
        let mut output = io::stdout().lock();
        writeln!(output, "{added} {done}, {already_there} already exist, {refused} rejected")?;
        for (count, what) in [
            (passwords, "with a password"),
            (apps, "with an authenticator app"),
            (email_codes, "with codes by e-mail"),
            (with_warnings, "with warnings"),
        ] {
            writeln!(output, "{count:>8} {what}")?;
        }
        writeln!(output, "{tokens:>8} login tokens and personal access tokens")?;
        if *refused > 0 {
            return Err(format!("{refused} users were not {done}; correct them and import the file again").into());
        }
        Ok(())
    }
}
