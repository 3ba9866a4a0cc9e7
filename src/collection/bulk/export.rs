//! [`DocumentExport`]: reads the documents of a collection as text, page by page.

use bolide_protocol::ejson::write_exported;

use super::super::document::id_value;
use super::super::storage::{CollectionNumber, DocumentReader, Page, StorageError, StoredDocument};

/// The number of documents that are read at once.
const PAGE: usize = 500;

/// The documents of a stored collection as they were when the export began, ordered by their ids.
pub struct DocumentExport {
    reader: Box<dyn DocumentReader>,
    collection: CollectionNumber,
    documents: u64,
    after: Option<String>,
    is_over: bool,
}

impl DocumentExport {
    pub(super) const fn new(reader: Box<dyn DocumentReader>, collection: CollectionNumber, documents: u64) -> Self {
        Self { reader, collection, documents, after: None, is_over: false }
    }

    /// Returns the number of documents.
    #[must_use]
    pub const fn documents(&self) -> u64 {
        self.documents
    }

    /// Returns the next documents, each as one line of EJSON with its `_id`. An empty list is the end.
    ///
    /// # Errors
    /// Returns an error if the store fails, or a document is damaged.
    pub async fn next_page(&mut self) -> Result<Vec<String>, StorageError> {
        if self.is_over {
            return Ok(Vec::new());
        }
        let page = Page {
            collection: self.collection,
            index: None,
            from: Vec::new(),
            to: Vec::new(),
            after: self.after.take().map(|id| (Vec::new(), id)),
            is_reversed: false,
            limit: PAGE,
        };
        let found = self.reader.page(page).await?;
        self.is_over = found.len() < PAGE;
        self.after = found.last().map(|entry| entry.document.id.clone());
        found.into_iter().map(|entry| line(&entry.document)).collect()
    }
}

/// Returns a document as one line.
fn line(StoredDocument { id, fields, .. }: &StoredDocument) -> Result<String, StorageError> {
    let damaged = |reason: String| StorageError::Failed(format!("the document `{id}` cannot be read: {reason}"));
    let rest = fields.trim_start().strip_prefix('{').ok_or_else(|| damaged("it is no object".to_owned()))?;
    let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
    let text = format!("{{\"_id\":{}{comma}{rest}", id_value(id).to_raw().get());
    let line = write_exported(&text).map_err(|error| damaged(error.to_string()))?.into_owned();
    Ok(line)
}

impl std::fmt::Debug for DocumentExport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DocumentExport").field("documents", &self.documents).finish_non_exhaustive()
    }
}
