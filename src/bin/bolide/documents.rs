//! `bolide documents`: lists, imports and exports the documents of stored collections, while the server is stopped.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use bolide::collection::bulk::{DocumentExport, Existing, ImportOptions};

use super::data::DataDirectory;
use super::document_import::import;
use super::serve::Outcome;
use crate::output::harmless;
use crate::progress::Transfer;

/// The commands lock the database.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Lists the stored collections: name, number of documents and bytes, separated by tabs.
    List {
        #[command(flatten)]
        data: DataDirectory,
    },
    /// Imports the documents of a `mongoexport` file (extended JSON), or of a file of `bolide documents export` (EJSON).
    ///
    /// `_id` becomes the document's id; a document without one gets a random id. Malformed documents are reported with
    /// their line, and the others imported. Documents that already exist are counted, so that an interrupted import can
    /// be run again. Indexes of the collection are kept up to date.
    Import {
        /// File with a document per line, or of `mongoexport --pretty` or `--jsonArray`; `-` is standard input
        file: PathBuf,
        /// Name of the collection, which is created if it is missing
        #[arg(long)]
        collection: String,
        /// Replaces documents that exist with other contents; without this, they are reported and kept
        #[arg(long)]
        replace: bool,
        /// Maximum size of a document, in bytes of its fields as EJSON
        #[arg(long, value_name = "BYTES", default_value_t = ImportOptions::default().max_document_bytes)]
        max_document_bytes: usize,
        #[command(flatten)]
        data: DataDirectory,
    },
    /// Exports the documents of a collection as EJSON, one per line with its `_id`, ordered by id.
    Export {
        /// Name of the collection
        #[arg(long)]
        collection: String,
        /// File, which is replaced if it exists; `-` is standard output
        #[arg(default_value = "-")]
        file: PathBuf,
        #[command(flatten)]
        data: DataDirectory,
    },
}

pub(crate) async fn run(command: Command) -> Outcome {
    match command {
        Command::List { data } => list(&data).await,
        Command::Import { file, collection, replace, max_document_bytes, data } => {
            let existing = if replace { Existing::Replace } else { Existing::Keep };
            let collections = data.store().await?.collections();
            let options = ImportOptions { existing, max_document_bytes };
            import(&file, collections.import(&collection, options).await?).await
        }
        Command::Export { collection, file, data } => {
            let collections = data.existing_store().await?.collections();
            let unknown = || format!("there is no collection `{collection}`; `bolide documents list` lists them");
            export(&file, collections.export(&collection).await?.ok_or_else(unknown)?).await
        }
    }
}

async fn list(data: &DataDirectory) -> Outcome {
    let collections = data.existing_store().await?.collections().list().await?;
    let mut output = io::stdout().lock();
    if output.is_terminal() {
        writeln!(output, "NAME\tDOCUMENTS\tBYTES")?;
    }
    for collection in collections {
        writeln!(output, "{}\t{}\t{}", harmless(&collection.name), collection.documents, collection.bytes)?;
    }
    Ok(())
}

async fn export(file: &Path, documents: DocumentExport) -> Outcome {
    let failed = |error: io::Error| format!("the file {} cannot be written: {error}", file.display());
    if file.to_str() != Some("-") {
        let progress = Transfer::of_documents(documents.documents());
        let written = write(documents, BufWriter::new(File::create(file).map_err(failed)?), &progress, failed).await;
        progress.finish();
        return written;
    }
    // A bar would be shown between the documents.
    let progress = Transfer::hidden();
    write(documents, BufWriter::new(io::stdout()), &progress, failed).await
}

/// Writes the documents. If the reader of a pipe has gone away, the rest is not wanted.
async fn write(
    mut documents: DocumentExport,
    mut output: impl Write,
    progress: &Transfer,
    failed: impl Fn(io::Error) -> String,
) -> Outcome {
    loop {
        let page = documents.next_page().await?;
        let written =
            if page.is_empty() { output.flush() } else { page.iter().try_for_each(|line| writeln!(output, "{line}")) };
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(failed(error).into()),
            Ok(()) if page.is_empty() => return Ok(()),
            Ok(()) => progress.advance(page.len() as u64),
        }
    }
}
