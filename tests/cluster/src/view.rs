//! [`View`]: what a client watches, and what it must show of the table.

use serde_json::{Value, json};

use crate::client::Documents;

/// A publication of the conformance server with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum View {
    All,
    /// The documents of a group.
    Group(i64),
    /// The documents of a group with the highest `rank`, at most this many.
    Newest(i64, usize),
}

impl View {
    pub(crate) fn publication(&self) -> (&'static str, Value) {
        match self {
            Self::All => ("items", json!([])),
            Self::Group(group) => ("itemsWhere", json!([{ "group": group }])),
            Self::Newest(group, count) => ("newestItems", json!([group, count])),
        }
    }

    /// Returns what the view shows of a table.
    pub(crate) fn of(&self, table: &Documents) -> Documents {
        match self {
            Self::All => table.clone(),
            Self::Group(group) => in_group(table, *group).collect(),
            Self::Newest(group, count) => {
                let mut ranked: Vec<(String, Value)> = in_group(table, *group).collect();
                // Ranks differ, see `Writer`.
                ranked.sort_by_key(|(_, document)| std::cmp::Reverse(document["rank"].as_i64()));
                ranked.into_iter().take(*count).collect()
            }
        }
    }

    /// Compares what a client shows with the table, and returns what is wrong.
    pub(crate) fn check(&self, table: &Documents, shown: &Documents) -> Vec<String> {
        let wanted = self.of(table);
        let missing =
            wanted.iter().filter(|(id, _)| !shown.contains_key(*id)).map(|(id, _)| format!("{id} is missing"));
        let strange = shown.keys().filter(|id| !wanted.contains_key(*id)).map(|id| format!("{id} must not be there"));
        let different = wanted.iter().filter_map(|(id, document)| {
            let other = shown.get(id).filter(|other| *other != document)?;
            Some(format!("{id} is {other} and must be {document}"))
        });
        missing.chain(strange).chain(different).map(|what| format!("{self:?}: {what}")).collect()
    }
}

fn in_group(table: &Documents, group: i64) -> impl Iterator<Item = (String, Value)> {
    let is_in = move |document: &Value| document["group"].as_i64() == Some(group);
    table.iter().filter(move |(_, document)| is_in(document)).map(|(id, document)| (id.clone(), document.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::View;
    use crate::client::Documents;

    fn documents(text: serde_json::Value) -> Documents {
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn a_view_that_differs_from_the_table_is_found() {
        let table =
            documents(json!({ "a": { "group": 1, "rank": 1 }, "b": { "group": 1, "rank": 2 }, "c": { "group": 2 } }));
        assert!(View::All.check(&table, &table).is_empty());
        assert!(View::Group(2).check(&table, &documents(json!({ "c": { "group": 2 } }))).is_empty());
        assert!(View::Newest(1, 1).check(&table, &documents(json!({ "b": { "group": 1, "rank": 2 } }))).is_empty());
        assert_eq!(View::Group(2).check(&table, &documents(json!({}))), ["Group(2): c is missing"]);
        assert_eq!(View::Group(3).check(&table, &documents(json!({ "c": {} }))), ["Group(3): c must not be there"]);
        let stale = documents(json!({ "c": { "group": 2, "old": 1 } }));
        assert_eq!(
            View::Group(2).check(&table, &stale),
            [r#"Group(2): c is {"group":2,"old":1} and must be {"group":2}"#]
        );
    }
}
