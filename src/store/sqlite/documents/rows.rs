//! Statements over many rows. They are prepared for a few numbers of rows only, so that they can be used again.

use std::sync::{Arc, LazyLock};

use sqlx::AssertSqlSafe;

/// The numbers of rows for which a statement is prepared.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// Columns: collection, id.
pub(super) static SELECT_DOCUMENTS: LazyLock<RowStatement> = LazyLock::new(|| {
    let select = "SELECT id, fields, seq FROM documents WHERE fields IS NOT NULL AND (collection, id) IN (VALUES ";
    RowStatement::new(select, 2, ")")
});

/// Columns: collection, id, fields, seq.
pub(super) static PUT_DOCUMENTS: LazyLock<RowStatement> = LazyLock::new(|| {
    RowStatement::new(
        "INSERT INTO documents (collection, id, fields, seq) VALUES ",
        4,
        " ON CONFLICT (collection, id) DO UPDATE SET fields = excluded.fields, seq = excluded.seq",
    )
});

/// Columns: index, key.
pub(super) static SELECT_HOLDERS: LazyLock<RowStatement> = LazyLock::new(|| {
    let select = "SELECT index_number, key, id FROM document_keys WHERE (index_number, key) IN (VALUES ";
    RowStatement::new(select, 2, ")")
});

/// Columns: index, key, id.
pub(super) static DELETE_ENTRIES: LazyLock<RowStatement> =
    LazyLock::new(|| RowStatement::new("DELETE FROM document_keys WHERE (index_number, key, id) IN (VALUES ", 3, ")"));

/// Columns: index, key, id, elements.
pub(super) static PUT_ENTRIES: LazyLock<RowStatement> = LazyLock::new(|| {
    RowStatement::new(
        "INSERT INTO document_keys (index_number, key, id, elements) VALUES ",
        4,
        " ON CONFLICT (index_number, key, id) DO UPDATE SET elements = excluded.elements",
    )
});

/// Columns: seq, documents, bytes, number.
pub(super) const UPDATE_HEAD: &str = "UPDATE heads SET seq = ?, documents = ?, bytes = ? WHERE number = ?";

/// The maximum number of removed and of added entries that are written together with their document.
const SMALL: usize = 8;

/// Returns one statement for a head, a document, and a few removed and added entries, or `None` if these are too many. A
/// write of one document is passed to the thread of the database once, and not for each of these.
pub(super) fn put_one(removed: usize, added: usize) -> Option<AssertSqlSafe<String>> {
    if removed > SMALL || added > SMALL {
        return None;
    }
    let entries =
        std::iter::repeat_n(DELETE_ENTRIES.of_one(), removed).chain(std::iter::repeat_n(PUT_ENTRIES.of_one(), added));
    let parts: Vec<&str> = [UPDATE_HEAD, PUT_DOCUMENTS.of_one()].into_iter().chain(entries).collect();
    Some(AssertSqlSafe(parts.join("; ")))
}

/// A statement with a list of rows.
pub(super) struct RowStatement {
    /// The text for each of the [`SIZES`].
    texts: [Arc<str>; SIZES.len()],
}

impl RowStatement {
    fn new(before: &str, columns: usize, after: &str) -> Self {
        Self { texts: SIZES.map(|rows| format!("{before}{}{after}", placeholders(rows, columns)).into()) }
    }

    /// Returns the statement for one row.
    fn of_one(&self) -> &str {
        &self.texts[SIZES.len() - 1]
    }

    /// Divides rows into chunks, each with the statement for it.
    pub(super) fn chunks<'rows, Row>(
        &self,
        mut rows: &'rows [Row],
    ) -> impl Iterator<Item = (AssertSqlSafe<Arc<str>>, &'rows [Row])> {
        std::iter::from_fn(move || {
            let (size, text) = SIZES.iter().zip(&self.texts).find(|(size, _)| **size <= rows.len())?;
            let (chunk, rest) = rows.split_at(*size);
            rows = rest;
            Some((AssertSqlSafe(Arc::clone(text)), chunk))
        })
    }
}

/// Returns `(?, ?), (?, ?)` for two rows of two columns.
fn placeholders(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row; rows].join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_divided_into_the_largest_chunks() {
        let rows: Vec<usize> = (0..150).collect();
        let chunks: Vec<usize> = SELECT_DOCUMENTS.chunks(&rows).map(|(_, chunk)| chunk.len()).collect();
        assert_eq!(chunks, [64, 64, 16, 4, 1, 1]);
        assert_eq!(SELECT_DOCUMENTS.chunks::<usize>(&[]).count(), 0);
        assert_eq!(placeholders(2, 2), "(?, ?), (?, ?)");
    }
}
