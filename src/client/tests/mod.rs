//! The conformance cases played against the client: a scripted server sends the messages that a case expects of a
//! server, and the client must send those that the case sends. At the end it must have the documents that the case
//! describes.

mod nonsense;
mod peer;
mod play;
mod script;

use std::collections::BTreeMap;

use self::play::play;
use self::script::Script;
use crate::conformance::book;
use crate::conformance::memory::FreshValues;

/// The minimum number of cases of each chapter that the client must pass. The others contain what this client does not
/// send: malformed messages, seeds, pings of its own choosing, upgrade requests, a second `connect`.
const AT_LEAST: [(&str, usize); 23] = [
    ("accounts-login", 20),
    ("accounts-tokens", 12),
    ("collections", 30),
    ("connection", 5),
    ("connection-info", 10),
    ("document-ids", 20),
    ("ejson", 25),
    ("errors", 20),
    ("heartbeat", 4),
    ("merge-box", 35),
    ("methods", 60),
    ("nested", 5),
    ("ordering", 8),
    ("resumption", 4),
    ("strategies", 25),
    ("streams", 12),
    ("subscription-ordering", 8),
    ("subscriptions", 55),
    ("two-factor-gate", 25),
    ("two-factor-password", 8),
    ("two-factor-remember", 10),
    ("user-change", 20),
    ("users-publication", 8),
];

#[tokio::test]
async fn the_client_passes_the_conformance_cases() {
    let fresh_values = FreshValues::new("backwards");
    let mut played: BTreeMap<String, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    for chapter in book::embedded().expect("the book") {
        for case in &chapter.cases {
            let Ok(script) = Script::of(case, &fresh_values) else { continue };
            *played.entry(chapter.name.clone()).or_default() += 1;
            if let Err(problem) = play(&script).await {
                problems.push(format!("{}: {}\n{problem}", chapter.name, case.name));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
    for (chapter, at_least) in AT_LEAST {
        let count = played.get(chapter).copied().unwrap_or_default();
        assert!(count >= at_least, "{chapter}: only {count} of {at_least} cases were played");
    }
}
