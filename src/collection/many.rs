//! Writes of all documents that match a filter. They are found page by page, and written in portions, so that no more than
//! a portion is in memory.

use std::sync::Arc;
use std::time::Instant;

use super::core::CollectionCore;
use super::edit::{Condition, Edit, Outcome, Step};
use super::error::CollectionError;
use super::execution::Execution;
use super::filter::Filter;
use super::plan::Plan;
use super::stored::{Stored, read, unavailable};

/// The number of documents that are written together.
const TOGETHER: usize = 500;

/// Makes the same edit of all documents that match. Returns the number of those that it was made of.
pub(super) async fn write_many(
    core: &Arc<CollectionCore>,
    filter: Filter,
    edit: Edit,
) -> Result<usize, CollectionError> {
    let plan = Plan::new(filter.clone());
    let mut portions = Portions { core, filter, edit, ids: Vec::new(), written: 0 };
    match core.store() {
        None => {
            let found = core.find_noted(&plan);
            portions.add(found.into_iter().map(|placed| Arc::clone(&placed.document.id))).await?;
        }
        Some(stored) => find_in_store(core, stored, &plan, &mut portions).await?,
    }
    portions.finish().await
}

/// Finds the documents in the store. No reader is kept while a portion is written.
async fn find_in_store(
    core: &Arc<CollectionCore>,
    stored: &Stored,
    plan: &Plan,
    portions: &mut Portions<'_>,
) -> Result<(), CollectionError> {
    let start = Instant::now();
    let opened = Arc::clone(stored.open(core).await?);
    let mut execution = Execution::new(plan, opened.access(plan), None);
    let mut begin = None;
    while let Some(reading) = execution.next() {
        let mut reader = stored.reader(core).await?;
        let begin = if let Some(begin) = begin {
            begin
        } else {
            let head = reader.head(opened.number).await.map_err(|error| unavailable(core, &error))?;
            *begin.insert(head.version)
        };
        let page = read(core, &opened, &mut *reader, reading).await?;
        drop(reader);
        execution.feed(page);
        // What was written since then has been edited here, and may have moved to a later place of the index.
        let found = execution.take().into_iter().map(|placed| placed.document);
        portions
            .add(found.filter(|document| document.version <= begin).map(|document| Arc::clone(&document.id)))
            .await?;
    }
    opened.note_scan(core, plan, execution.read_count());
    core.slow.note(plan, start, execution.read_count());
    Ok(())
}

struct Portions<'core> {
    core: &'core Arc<CollectionCore>,
    filter: Filter,
    edit: Edit,
    /// The documents of the next portion.
    ids: Vec<Arc<str>>,
    written: usize,
}

impl Portions<'_> {
    async fn add(&mut self, ids: impl Iterator<Item = Arc<str>>) -> Result<(), CollectionError> {
        for id in ids {
            self.ids.push(id);
            if self.ids.len() == TOGETHER {
                self.write().await?;
            }
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<usize, CollectionError> {
        self.write().await?;
        Ok(self.written)
    }

    async fn write(&mut self) -> Result<(), CollectionError> {
        self.ids.sort_unstable();
        let step = |id: Arc<str>| Step {
            id: id.to_string(),
            edit: self.edit.clone(),
            condition: Condition::If(self.filter.clone()),
        };
        let steps = self.ids.drain(..).map(|id| (Arc::clone(self.core), step(id))).collect();
        let outcomes = CollectionCore::write(steps).await?;
        self.written += outcomes.iter().filter(|outcome| **outcome != Outcome::Nothing).count();
        Ok(())
    }
}
