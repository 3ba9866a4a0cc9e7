//! [`Ledger`]: what the documents may be, by what their writers were told. Each field has one writer, or is only incremented.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::client::{Documents, Outcome};

/// A field of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) document: String,
    pub(crate) field: String,
}

impl Key {
    pub(crate) fn new(document: &str, field: &str) -> Self {
        Self { document: document.to_owned(), field: field.to_owned() }
    }
}

/// A field with one writer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Register {
    /// What it may hold. `None`: the field, or the document, is not there.
    possible: BTreeSet<Option<i64>>,
}

/// A field that several writers increment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counter {
    acknowledged: i64,
    /// What may have been added besides.
    unknown: i64,
}

/// What the documents of a collection may be.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    registers: BTreeMap<Key, Register>,
    counters: BTreeMap<Key, Counter>,
}

impl Ledger {
    /// Notes that a field was set, or removed with its document. Returns whether its value is known: if not, it must not be
    /// written again, because the call may still be on its way.
    pub(crate) fn wrote(&mut self, key: Key, value: Option<i64>, outcome: &Outcome) -> bool {
        let register = self.registers.entry(key).or_insert_with(|| Register { possible: BTreeSet::from([None]) });
        match outcome {
            Outcome::Done(_) => register.possible = BTreeSet::from([value]),
            Outcome::Refused(..) => {}
            Outcome::Unknown(_) => {
                register.possible.insert(value);
                return false;
            }
        }
        true
    }

    /// Notes that a field was incremented.
    pub(crate) fn incremented(&mut self, key: Key, by: i64, outcome: &Outcome) {
        let counter = self.counters.entry(key).or_default();
        match outcome {
            Outcome::Done(_) => counter.acknowledged += by,
            Outcome::Refused(..) => {}
            Outcome::Unknown(_) => counter.unknown += by,
        }
    }

    /// The number of writes whose outcome is unknown, and of fields.
    pub(crate) fn size(&self) -> (usize, usize) {
        let unknown = self.registers.values().filter(|register| register.possible.len() > 1).count();
        let unsure = self.counters.values().filter(|counter| counter.unknown != 0).count();
        (unknown + unsure, self.registers.len() + self.counters.len())
    }

    /// Compares the documents with what they may be, and returns what is wrong.
    pub(crate) fn check(&self, table: &Documents) -> Vec<String> {
        let registers = self.registers.iter().filter_map(|(key, register)| {
            let found = value(table, key);
            let is_possible = register.possible.contains(&found);
            (!is_possible).then(|| {
                let possible: Vec<String> = register.possible.iter().map(|value| shown(*value)).collect();
                format!("{}.{} is {}, and must be {}", key.document, key.field, shown(found), possible.join(" or "))
            })
        });
        let counters = self.counters.iter().filter_map(|(key, counter)| {
            let found = value(table, key).unwrap_or_default();
            let (low, high) = (counter.acknowledged, counter.acknowledged + counter.unknown);
            (!(low..=high).contains(&found))
                .then(|| format!("{}.{} is {found}: {low} was acknowledged, and {high} sent", key.document, key.field))
        });
        let known: BTreeSet<&str> =
            self.registers.keys().chain(self.counters.keys()).map(|key| key.document.as_str()).collect();
        let strange =
            table.keys().filter(|id| !known.contains(id.as_str())).map(|id| format!("nobody has written {id}"));
        registers.chain(counters).chain(strange).collect()
    }
}

fn value(table: &Documents, key: &Key) -> Option<i64> {
    table.get(&key.document)?.get(&key.field).and_then(Value::as_i64)
}

fn shown(value: Option<i64>) -> String {
    value.map_or_else(|| "missing".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Key, Ledger};
    use crate::client::{Documents, Outcome};

    fn done() -> Outcome {
        Outcome::Done(json!(null))
    }

    fn refused() -> Outcome {
        Outcome::Refused("409".to_owned(), String::new())
    }

    fn unknown() -> Outcome {
        Outcome::Unknown(String::new())
    }

    fn table(text: serde_json::Value) -> Documents {
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn a_lost_acknowledged_write_is_found() {
        let mut ledger = Ledger::default();
        assert!(ledger.wrote(Key::new("a", "n"), Some(1), &done()));
        assert!(ledger.wrote(Key::new("a", "n"), Some(2), &done()));
        assert_eq!(ledger.check(&table(json!({ "a": { "n": 2 } }))), [""; 0]);
        assert_eq!(ledger.check(&table(json!({ "a": { "n": 1 } }))), ["a.n is 1, and must be 2"]);
        assert_eq!(ledger.check(&table(json!({}))), ["a.n is missing, and must be 2"]);
    }

    #[test]
    fn a_refused_write_that_is_there_is_found() {
        let mut ledger = Ledger::default();
        assert!(ledger.wrote(Key::new("a", "n"), Some(1), &refused()));
        assert_eq!(ledger.check(&table(json!({ "a": { "n": 1 } }))), ["a.n is 1, and must be missing"]);
    }

    #[test]
    fn an_unknown_write_may_be_there_and_nothing_else() {
        let mut ledger = Ledger::default();
        assert!(ledger.wrote(Key::new("a", "n"), Some(1), &done()));
        assert!(!ledger.wrote(Key::new("a", "n"), Some(2), &unknown()));
        for value in [1, 2] {
            assert_eq!(ledger.check(&table(json!({ "a": { "n": value } }))), [""; 0]);
        }
        assert_eq!(ledger.check(&table(json!({ "a": { "n": 3 } }))), ["a.n is 3, and must be 1 or 2"]);
    }

    #[test]
    fn a_lost_and_a_doubled_increment_are_found() {
        let mut ledger = Ledger::default();
        for outcome in [done(), done(), refused(), unknown()] {
            ledger.incremented(Key::new("a", "count"), 1, &outcome);
        }
        for (count, is_right) in [(1, false), (2, true), (3, true), (4, false)] {
            assert_eq!(ledger.check(&table(json!({ "a": { "count": count } }))).is_empty(), is_right, "{count}");
        }
    }

    #[test]
    fn a_document_of_nobody_is_found() {
        assert_eq!(Ledger::default().check(&table(json!({ "x": {} }))), ["nobody has written x"]);
    }
}
