//! The documents of the publication `tick`, as the floors send them.

use serde::Serialize;

/// A document of `tick`, with types of its own: serde writes it without a tree in between.
#[derive(Serialize)]
pub(crate) struct Added {
    msg: &'static str,
    collection: &'static str,
    id: String,
    fields: Tick,
}

#[derive(Serialize)]
struct Tick {
    i: u64,
    name: String,
    price: f64,
    done: bool,
    at: Date,
    tags: [&'static str; 2],
}

#[derive(Serialize)]
struct Date {
    #[serde(rename = "$date")]
    milliseconds: u64,
}

impl Added {
    pub(crate) fn numbered(i: u64) -> Self {
        let fields = Tick {
            i,
            name: format!("item number {i}"),
            price: i as f64 + 0.5,
            done: i % 2 == 1,
            at: Date { milliseconds: 1_700_000_000_000 + i },
            tags: ["a", "b"],
        };
        Self { msg: "added", collection: "ticks", id: format!("doc{i}"), fields }
    }

    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
