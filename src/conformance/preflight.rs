//! [`preflight`]: finds out whether a DDP server answers, before hundreds of cases fail for the same reason.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::lines::{Heard, Lines, Problem, shown};
use super::reading::Reading;
use super::step::Opening;
use super::transport::Transport;

/// The maximum number of messages that the server may send before its answer.
const MESSAGES: usize = 100;

/// The error if no DDP server answers: one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(String);

/// Connects once, and waits for any answer to `connect` for at most `patience`.
///
/// # Errors
/// Returns an error if the server cannot be reached or does not answer, but not if it answers in another way than it
/// should: the cases tell how.
pub async fn preflight<T: Transport>(transport: &T, patience: Duration) -> Result<(), Unreachable> {
    let mut lines = Lines::new(transport, true, Reading::Specified, patience);
    let answered = wait_for_answer(&mut lines, patience).await;
    lines.say_goodbye().await;
    answered.map_err(|problem| Unreachable(problem.reason.replace('\n', ", ")))
}

async fn wait_for_answer<T: Transport>(lines: &mut Lines<'_, T>, patience: Duration) -> Result<(), Problem> {
    lines.open("a", &Opening::default()).await?;
    let limit = Instant::now() + patience;
    let connect = json!({"msg": "connect", "version": "1", "support": ["1", "pre2", "pre1"]});
    lines.send_text("a", connect.to_string()).await?;
    for _ in 0..MESSAGES {
        match lines.hear("a", limit).await? {
            Heard::Message { value, .. } if value["msg"] == "connected" || value["msg"] == "failed" => return Ok(()),
            Heard::Message { .. } => {}
            Heard::Nothing => break,
            Heard::Closed(code) => {
                let end = shown(code);
                return Err(Problem::new(format!(
                    "the server ended the connection {end} instead of answering `connect`"
                )));
            }
        }
    }
    Err(Problem::new(format!("the server accepts connections, but does not answer `connect` within {patience:?}")))
}
