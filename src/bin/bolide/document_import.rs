//! `bolide documents import`: one thread reads documents, while those before them are written.

use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;

use bolide::chance::SystemChance;
use bolide::collection::CollectionError;
use bolide::collection::bulk::{DocumentImport, NewDocument, Written};
use bolide::protocol::DocumentId;
use tokio::sync::mpsc;

use super::export::ExportFile;
use super::serve::Outcome;
use crate::output::harmless;
use crate::progress::Transfer;

/// The maximum number of documents that are written at once.
const DOCUMENTS_AT_ONCE: usize = 2_000;

/// The size of the documents that are written at once, in bytes; a single one may be larger.
const BYTES_AT_ONCE: usize = 4 << 20;

/// The maximum number of batches that wait until others are written.
const WAITING_BATCHES: usize = 1;

/// The size of the buffer for reading, in bytes.
const BUFFER: usize = 256 << 10;

/// Documents with their lines, and why others cannot be read.
#[derive(Default)]
struct Batch {
    documents: Vec<NewDocument>,
    lines: Vec<u64>,
    unreadable: Vec<(u64, String)>,
}

/// What became of the documents.
#[derive(Default)]
struct Counts {
    inserted: u64,
    already_there: u64,
    replaced: u64,
    different: u64,
    refused: u64,
    with_random_id: u64,
}

/// Imports a file; `-` is standard input.
pub(crate) async fn import(file: &Path, import: DocumentImport) -> Outcome {
    let (input, progress) = open(file)?;
    let (sender, mut batches) = mpsc::channel(WAITING_BATCHES);
    // A thread of its own, which a failed import does not wait for: its input may never end.
    let reading = std::thread::spawn(move || read(input, &sender));
    let mut counts = Counts::default();
    while let Some(batch) = batches.recv().await {
        counts.import(batch, &import, &progress).await?;
        progress.describe(format!("{} documents", counts.all()));
    }
    progress.finish();
    // The batches have ended, so the thread has too.
    reading.join().map_err(|_panic| "the file could not be read")?.map_err(|error| unreadable(file, &error))?;
    counts.report()
}

fn open(file: &Path) -> Result<(Box<dyn Read + Send>, Transfer), String> {
    if file.to_str() == Some("-") {
        let progress = Transfer::of_bytes(None);
        return Ok((Box::new(progress.count(io::stdin())), progress));
    }
    let opened = File::open(file).map_err(|error| unreadable(file, &error))?;
    // A pipe has no length.
    let length = opened.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
    let progress = Transfer::of_bytes(length);
    Ok((Box::new(progress.count(opened)), progress))
}

fn unreadable(file: &Path, error: &io::Error) -> String {
    format!("the file {} cannot be read: {error}", file.display())
}

/// Reads the documents in batches until the end of the file, or until nobody takes them.
fn read(input: impl Read, batches: &mpsc::Sender<Batch>) -> io::Result<()> {
    let mut file = ExportFile::new(BufReader::with_capacity(BUFFER, input));
    let (mut batch, mut bytes) = (Batch::default(), 0);
    while let Some((line, text)) = file.next()? {
        bytes += text.as_ref().map_or(0, String::len);
        let document = text.and_then(|text| NewDocument::read(&text, &SystemChance).map_err(|error| error.to_string()));
        match document {
            Ok(document) => {
                batch.documents.push(document);
                batch.lines.push(line);
            }
            Err(reason) => batch.unreadable.push((line, reason)),
        }
        if batch.documents.len() + batch.unreadable.len() < DOCUMENTS_AT_ONCE && bytes < BYTES_AT_ONCE {
            continue;
        }
        bytes = 0;
        if batches.blocking_send(std::mem::take(&mut batch)).is_err() {
            return Ok(());
        }
    }
    // Without a receiver, the import has failed already.
    let _failed = batches.blocking_send(batch);
    Ok(())
}

impl Counts {
    async fn import(&mut self, batch: Batch, import: &DocumentImport, progress: &Transfer) -> Outcome {
        let Batch { documents, lines, unreadable } = batch;
        for (line, reason) in unreadable {
            self.refuse(line, &reason, progress)?;
        }
        let origins: Vec<(u64, DocumentId, bool)> = lines
            .into_iter()
            .zip(&documents)
            .map(|(line, document)| (line, document.id().clone(), document.has_own_id()))
            .collect();
        let written = match import.write(documents).await {
            Ok(written) => written,
            // All further documents would fail as well.
            Err(error) => {
                progress.finish();
                return Err(format!("{error}; the documents before are imported, so run the command again").into());
            }
        };
        for ((line, id, has_own_id), written) in origins.into_iter().zip(written) {
            self.take(line, &id, written, progress)?;
            self.with_random_id += u64::from(!has_own_id);
        }
        Ok(())
    }

    fn take(
        &mut self,
        line: u64,
        id: &DocumentId,
        written: Result<Written, CollectionError>,
        progress: &Transfer,
    ) -> io::Result<()> {
        match written {
            Ok(Written::Inserted) => self.inserted += 1,
            Ok(Written::AlreadyThere) => self.already_there += 1,
            Ok(Written::Replaced) => self.replaced += 1,
            Ok(Written::Different) => {
                self.different += 1;
                let id = id.to_wire();
                let line =
                    format!("line {line}: the document `{id}` exists with other contents; --replace replaces it");
                progress.print(&harmless(&line))?;
            }
            Err(error) => self.refuse(line, &error.to_string(), progress)?,
        }
        Ok(())
    }

    fn refuse(&mut self, line: u64, reason: &str, progress: &Transfer) -> io::Result<()> {
        self.refused += 1;
        progress.print(&harmless(&format!("line {line}: {reason}")))
    }

    const fn all(&self) -> u64 {
        self.inserted + self.already_there + self.replaced + self.different + self.refused
    }

    fn report(&self) -> Outcome {
        let Self { inserted, already_there, replaced, different, refused, with_random_id } = self;
        let mut output = io::stdout().lock();
        writeln!(output, "{inserted} imported, {already_there} already exist, {refused} rejected")?;
        writeln!(output, "{replaced:>8} replaced")?;
        writeln!(output, "{different:>8} kept, which exist with other contents")?;
        writeln!(output, "{with_random_id:>8} without `_id`, which got a random one")?;
        match (refused, different) {
            (0, 0) => Ok(()),
            (0, kept) => Err(format!("{kept} documents exist with other contents; --replace replaces them").into()),
            (refused, _) => {
                Err(format!("{refused} documents were not imported; correct them and import the file again").into())
            }
        }
    }
}
