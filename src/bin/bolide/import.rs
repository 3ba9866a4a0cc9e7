//! `bolide user import`: imports the users of a Meteor or Rocket.Chat server.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::Path;

use bolide::accounts::{AccountsHandle, ImportError, Imported};

use super::export::ExportFile;
use super::serve::Outcome;

/// The number of documents with each outcome.
#[derive(Default)]
struct Counts {
    added: u64,
    already_there: u64,
    refused: u64,
}

/// Imports a file; `-` is standard input. Documents that cannot be imported are reported, and the others are imported.
pub(crate) async fn run(file: &Path, accounts: &AccountsHandle) -> Outcome {
    let failed = |error: io::Error| format!("the file {} cannot be read: {error}", file.display());
    let input: Box<dyn BufRead> = match file.to_str() {
        Some("-") => Box::new(BufReader::new(io::stdin())),
        _ => Box::new(BufReader::new(File::open(file).map_err(failed)?)),
    };
    let mut documents = ExportFile::new(input);
    let mut counts = Counts::default();
    while let Some((line, document)) = documents.next().map_err(failed)? {
        let outcome = match document {
            Ok(text) => accounts.import(&text).await,
            Err(reason) => {
                counts.refuse(line, &reason)?;
                continue;
            }
        };
        match outcome {
            Ok(Imported::Added) => counts.added += 1,
            Ok(Imported::AlreadyThere) => counts.already_there += 1,
            // All further documents would fail as well.
            Err(ImportError::Store(error)) => return Err(format!("line {line}: {error}").into()),
            Err(error) => counts.refuse(line, &error.to_string())?,
        }
    }
    counts.report()
}

impl Counts {
    fn refuse(&mut self, line: u64, reason: &str) -> io::Result<()> {
        self.refused += 1;
        writeln!(io::stderr(), "line {line}: {reason}")
    }

    fn report(&self) -> Outcome {
        let Self { added, already_there, refused } = self;
        writeln!(io::stdout(), "{added} imported, {already_there} already exist, {refused} rejected")?;
        if *refused > 0 {
            return Err(format!("{refused} users were not imported; correct them and import the file again").into());
        }
        Ok(())
    }
}
