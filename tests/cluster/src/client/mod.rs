//! [`Client`]: a client of the cluster, ours or a published one, behind a proxy of its own.
//!
//! `ours` is the Rust client; `published` is simpleddp in a process of Node.js.

mod ours;
mod published;

use std::collections::BTreeMap;
use std::time::Duration;

use bolide::client::CallError;
use serde_json::Value;

pub(crate) use ours::Ours;
pub(crate) use published::Published;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Documents by id, without their ids.
pub(crate) type Documents = BTreeMap<String, Value>;

/// What a client knows of a call that it has made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The server has answered.
    Done(Value),
    /// The server has answered with an error that says that nothing was done: its code and its reason.
    Refused(String, String),
    /// It may have been done or not, or may be done later.
    Unknown(String),
}

impl Outcome {
    /// Reads the server's error.
    fn of_error(code: String, reason: String) -> Self {
        // An error without details may be anything; `CollectionError::OutcomeUnknown` says it.
        if code == "500" || reason.contains("not known whether") {
            return Self::Unknown(format!("{code} {reason}"));
        }
        Self::Refused(code, reason)
    }

    fn of(answer: Result<Option<bolide::protocol::RawJson>, CallError>) -> Self {
        match answer {
            Ok(result) => Self::Done(result.and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default()),
            Err(error) => match error.server() {
                Some(server) => Self::of_error(server.error.to_string(), server.reason.clone().unwrap_or_default()),
                None => Self::Unknown(error.to_string()),
            },
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// Whether the server has refused with this code.
    pub(crate) fn is_refused_as(&self, code: &str) -> bool {
        matches!(self, Self::Refused(refused, _) if refused == code)
    }
}

/// A client of either kind.
#[derive(Debug)]
pub(crate) enum Client {
    Ours(Ours),
    Published(Box<Published>),
}

impl Client {
    pub(crate) async fn call(&self, method: &str, params: Value) -> Outcome {
        match self {
            Self::Ours(client) => client.call(method, params).await,
            Self::Published(client) => client.call(method, params).await,
        }
    }

    /// Returns the documents of `items` that it was sent, put together from its recording.
    pub(crate) async fn view(&self) -> anyhow::Result<Documents> {
        match self {
            Self::Ours(client) => Ok(client.view()),
            Self::Published(client) => client.view().await,
        }
    }

    /// Returns how often it was disconnected.
    pub(crate) fn disconnections(&self) -> usize {
        match self {
            Self::Ours(client) => client.disconnections(),
            Self::Published(client) => client.disconnections(),
        }
    }

    /// Returns the last messages that it was sent.
    pub(crate) fn recording(&self) -> Vec<String> {
        match self {
            Self::Ours(client) => client.recording(),
            Self::Published(client) => client.recording(),
        }
    }
}
