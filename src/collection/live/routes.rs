//! [`Routes`]: finds the live queries that a change can concern, by the values of the fields that they compare for
//! equality.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::document::Document;
use super::super::index::{MAX_ENTRIES, keys_of};
use super::super::key::{self, Direction};
use super::super::plan::Plan;
use super::{Change, LiveQuery};

/// The maximum number of values of one field under which a query is found.
const MAX_VALUES: usize = 1_000;

/// The maximum number of combinations of values of several fields under which one query is found. A query with more is found
/// by fewer fields, so that a short query does not need much memory.
const MAX_COMBINATIONS: usize = 64;

/// All live queries of a collection.
#[derive(Default)]
pub(in super::super) struct Routes {
    by_plan: HashMap<Arc<Plan>, Arc<LiveQuery>>,
    by_id: HashMap<Arc<str>, Vec<Arc<LiveQuery>>>,
    by_values: Vec<Group>,
    /// The queries that compare no field for equality: each change can concern them.
    any: Vec<Arc<LiveQuery>>,
}

/// The queries that compare the same fields for equality.
struct Group {
    fields: Vec<String>,
    queries: HashMap<Box<[u8]>, Vec<Arc<LiveQuery>>>,
}

/// Where a query is found.
enum Route {
    Ids(Vec<Arc<str>>),
    Values { fields: Vec<String>, keys: Vec<Box<[u8]>> },
    Any,
}

impl Routes {
    pub(in super::super) fn len(&self) -> usize {
        self.by_plan.len()
    }

    pub(in super::super) fn queries(&self) -> impl Iterator<Item = &Arc<LiveQuery>> {
        self.by_plan.values()
    }

    /// Returns the live query with a plan, and makes it if it is missing.
    pub(in super::super) fn get_or_add(&mut self, collection: &Arc<str>, plan: &Arc<Plan>) -> Arc<LiveQuery> {
        if let Some(query) = self.by_plan.get(plan) {
            return Arc::clone(query);
        }
        let query = Arc::new(LiveQuery::new(collection, plan));
        self.by_plan.insert(Arc::clone(plan), Arc::clone(&query));
        match Route::of(plan) {
            Route::Ids(ids) => {
                for id in ids {
                    self.by_id.entry(id).or_default().push(Arc::clone(&query));
                }
            }
            Route::Values { fields, keys } => {
                let group = self.group(fields);
                for key in keys {
                    group.queries.entry(key).or_default().push(Arc::clone(&query));
                }
            }
            Route::Any => self.any.push(Arc::clone(&query)),
        }
        query
    }

    pub(in super::super) fn remove(&mut self, query: &Arc<LiveQuery>) {
        let is_another = |other: &Arc<LiveQuery>| !Arc::ptr_eq(other, query);
        if self.by_plan.get(&query.plan).is_none_or(is_another) {
            return;
        }
        self.by_plan.remove(&query.plan);
        match Route::of(&query.plan) {
            Route::Ids(ids) => ids.iter().for_each(|id| retain(&mut self.by_id, id, is_another)),
            Route::Values { fields, keys } => {
                let Some(place) = self.by_values.iter().position(|group| group.fields == fields) else { return };
                let group = &mut self.by_values[place];
                for key in &keys {
                    retain(&mut group.queries, key, is_another);
                }
                if group.queries.is_empty() {
                    self.by_values.swap_remove(place);
                }
            }
            Route::Any => self.any.retain(is_another),
        }
    }

    /// Returns the queries that a change can concern, each once. `held` are further versions of the document that queries
    /// hold.
    pub(in super::super) fn concerned(&self, change: &Change, held: &[Arc<Document>]) -> Vec<Arc<LiveQuery>> {
        let mut concerned: Vec<Arc<LiveQuery>> = self.any.clone();
        concerned.extend(self.by_id.get(&change.id).into_iter().flatten().cloned());
        for document in [&change.old, &change.new].into_iter().flatten().chain(held) {
            let mut keys = KeysOfDocument { document, by_field: HashMap::new() };
            self.by_values.iter().for_each(|group| group.add_concerned(&mut keys, &mut concerned));
        }
        concerned.sort_unstable_by_key(|query| Arc::as_ptr(query).addr());
        concerned.dedup_by(|one, other| Arc::ptr_eq(one, other));
        concerned
    }

    fn group(&mut self, fields: Vec<String>) -> &mut Group {
        let place = self.by_values.iter().position(|group| group.fields == fields);
        let place = place.unwrap_or_else(|| {
            self.by_values.push(Group { fields, queries: HashMap::new() });
            self.by_values.len() - 1
        });
        &mut self.by_values[place]
    }
}

/// The keys of a document's fields. The groups share them.
struct KeysOfDocument<'change> {
    document: &'change Document,
    /// `None` for a field with too many values.
    by_field: HashMap<&'change str, Option<Vec<Vec<u8>>>>,
}

impl<'change> KeysOfDocument<'change> {
    /// Returns the keys of the combinations of the fields' values, or `None` if they are too many.
    fn of(&mut self, fields: &'change [String]) -> Option<Vec<Vec<u8>>> {
        let mut keys = vec![Vec::new()];
        for field in fields {
            let of_field = self.by_field.entry(field).or_insert_with(|| {
                let keys = keys_of(&self.document.id, &self.document.object, field, Direction::Ascending)?;
                Some(keys.into_iter().map(|(key, _)| key).collect())
            });
            let of_field = of_field.as_ref()?;
            if keys.len().saturating_mul(of_field.len()) > MAX_ENTRIES {
                return None;
            }
            keys = keys.iter().flat_map(|key| of_field.iter().map(|more| [key.as_slice(), more].concat())).collect();
        }
        Some(keys)
    }
}

impl Group {
    fn add_concerned<'change>(&'change self, keys: &mut KeysOfDocument<'change>, concerned: &mut Vec<Arc<LiveQuery>>) {
        match keys.of(&self.fields) {
            Some(keys) => {
                let found = keys.iter().filter_map(|key| self.queries.get(key.as_slice()));
                concerned.extend(found.flatten().cloned());
            }
            // A document with so many values in arrays can concern any of them.
            None => concerned.extend(self.queries.values().flatten().cloned()),
        }
    }
}

impl Route {
    fn of(plan: &Plan) -> Self {
        if let Some(ids) = plan.filter.ids() {
            let mut ids: Vec<Arc<str>> = ids.iter().map(|id| id.as_str().into()).collect();
            ids.sort_unstable();
            ids.dedup();
            return Self::Ids(ids);
        }
        let mut fields = Vec::new();
        let mut keys = vec![Vec::new()];
        for field in plan.filter.equality_fields() {
            let values = plan.filter.equality(field).unwrap_or_default();
            let most = if fields.is_empty() { MAX_VALUES } else { MAX_COMBINATIONS };
            if keys.len().saturating_mul(values.len()) > most {
                continue;
            }
            fields.push(field.to_owned());
            keys = keys.iter().flat_map(|key| values.iter().map(|value| longer(key, value))).collect();
        }
        if fields.is_empty() {
            return Self::Any;
        }
        keys.sort_unstable();
        keys.dedup();
        Self::Values { fields, keys: keys.into_iter().map(Into::into).collect() }
    }
}

fn longer(key: &[u8], value: &bolide_protocol::Ejson) -> Vec<u8> {
    let mut longer = key.to_vec();
    key::append(&mut longer, Some(value), Direction::Ascending);
    longer
}

fn retain<Key: Eq + std::hash::Hash>(
    queries: &mut HashMap<Key, Vec<Arc<LiveQuery>>>,
    key: &Key,
    is_kept: impl FnMut(&Arc<LiveQuery>) -> bool,
) {
    if let Some(of_key) = queries.get_mut(key) {
        of_key.retain(is_kept);
        if of_key.is_empty() {
            queries.remove(key);
        }
    }
}
