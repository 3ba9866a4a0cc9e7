//! The data that any DDP server or client can be tested against (feature `conformance`).
//!
//! These are the JSON files of the directories `conformance` and `vectors` of this package. The README of each directory
//! describes the format: [conversations], [vectors]. The runner in the crate `bolide` plays the conversations.
//!
//! ```
//! use bolide_protocol::conformance::CASES;
//!
//! for file in CASES {
//!     let chapter: serde_json::Value = serde_json::from_str(file.text)?;
//!     let cases = chapter["cases"].as_array().map_or(0, Vec::len);
//!     println!("{}: {cases} cases", file.name);
//! }
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! [conversations]: https://github.com/bolide-rs/bolide/blob/main/protocol/conformance/README.md
//! [vectors]: https://github.com/bolide-rs/bolide/blob/main/protocol/vectors/README.md

use std::fmt;

macro_rules! files {
    ($directory:literal: $($name:literal),+ $(,)?) => {
        &[$(File { name: $name, text: include_str!(concat!("../", $directory, "/", $name)) }),+]
    };
}

/// The conversations, in the order in which they are best read. Each file is a chapter of cases.
pub const CASES: &[File] = files!["conformance":
    "core.json",
    "connection.json",
    "heartbeat.json",
    "malformed.json",
    "methods.json",
    "errors.json",
    "ejson.json",
    "values.json",
    "ordering.json",
    "random-streams.json",
    "nested.json",
    "connection-info.json",
    "subscriptions.json",
    "unsubscribing.json",
    "subscription-ordering.json",
    "merge-box.json",
    "strategies.json",
    "user-change.json",
    "run-time.json",
    "collections.json",
    "document-ids.json",
    "streams.json",
    "resumption.json",
    "sockjs.json",
    "accounts-login.json",
    "accounts-tokens.json",
    "accounts-methods.json",
    "accounts-blocks.json",
    "users-publication.json",
    "accounts-secrets.json",
    "account-tokens.json",
    "settings.json",
    "admin.json",
    "two-factor-gate.json",
    "two-factor-totp.json",
    "two-factor-email.json",
    "two-factor-password.json",
    "two-factor-remember.json",
    "two-factor-login.json",
    "two-factor-attempts.json",
    "two-factor-tokens.json",
    "two-factor-nested.json",
    "two-factor-protected.json",
    "two-factor-headers.json",
    "two-factor-wrapped-calls.json",
    "two-factor-meteor.json",
    "passkeys.json",
    "two-factor-enrolment.json",
    "rest-login.json",
    "rest-authentication.json",
    "rest-method-call.json",
    "rest-two-factor.json",
    "rest-endpoints.json",
    "rest-own-account.json",
    "rest-admin.json",
    "rest-content.json",
];

/// The vectors: values and their texts on the wire, for implementations of EJSON, document ids and random streams.
pub const VECTORS: &[File] =
    files!["vectors": "ejson.json", "numbers.json", "dates.json", "document_ids.json", "random_streams.json"];

/// A JSON file of this package.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct File {
    /// The name of the file in its directory, such as `methods.json`.
    pub name: &'static str,
    /// The content of the file.
    pub text: &'static str,
}

/// Shows the length of the text instead of the text, which may have a hundred kilobytes.
impl fmt::Debug for File {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("File").field("name", &self.name).field("bytes", &self.text.len()).finish()
    }
}
