//! Asks the application under test which capabilities it has: its method `capabilities`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::capability::Capability;
use super::lines::{Heard, Lines};
use super::reading::Reading;
use super::step::Opening;
use super::transport::Transport;

/// The maximum number of messages that the server may send before the answer.
const MESSAGES: usize = 100;

/// Returns the capabilities that the application declares. Names that are not known are ignored. Returns `None` if it
/// does not answer with a list, which means that it has them all.
pub(crate) async fn declared<T: Transport>(transport: &T, patience: Duration) -> Option<BTreeSet<Capability>> {
    let mut lines = Lines::new(transport, true, Reading::Specified, patience);
    let answer = ask(&mut lines, Instant::now() + patience).await;
    lines.say_goodbye().await;
    let names = answer?;
    Some(names.iter().filter_map(|name| name.as_str()?.parse().ok()).collect())
}

async fn ask<T: Transport>(lines: &mut Lines<'_, T>, limit: Instant) -> Option<Vec<Value>> {
    lines.open("a", &Opening::default()).await.ok()?;
    let connect = json!({"msg": "connect", "version": "1", "support": ["1", "pre2", "pre1"]});
    let call = json!({"msg": "method", "id": "capabilities", "method": "capabilities", "params": []});
    for message in [connect, call] {
        lines.send_text("a", message.to_string()).await.ok()?;
    }
    for _ in 0..MESSAGES {
        let Ok(Heard::Message { mut value, .. }) = lines.hear("a", limit).await else {
            return None;
        };
        if value["msg"] == "result" && value["id"] == "capabilities" {
            return match value["result"].take() {
                Value::Array(names) => Some(names),
                _ => None,
            };
        }
    }
    None
}
