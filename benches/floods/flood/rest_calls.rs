//! REST logins from many IPv6 addresses, which the attacker claims to forward: what counts them must not grow with their
//! number, and not run out of counters for others.

use std::net::Ipv6Addr;

use serde_json::json;

use crate::attack::{Attack, in_parallel};
use crate::http::{pipeline, request};

const CONNECTIONS: usize = 8;
const CALLS: usize = 51_000;

/// `method.callAnon` is counted by the limits of its method, as a connection of its own.
pub(super) fn one_network(attack: &Attack) {
    let call = json!({ "msg": "method", "id": "1", "method": "login", "params": [{ "resume": "no token" }] });
    let body = json!({ "message": call.to_string() }).to_string();
    flood(attack, "/api/v1/method.callAnon/login", &body, |number| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 1, number));
}

/// An endpoint is counted by network.
pub(super) fn many_networks(attack: &Attack) {
    let body = json!({ "resume": "no token" }).to_string();
    flood(attack, "/api/v1/login", &body, |number| Ipv6Addr::new(0x2001, 0xdb8, 0, number, 0, 0, 0, 1));
}

fn flood(attack: &Attack, path: &str, body: &str, address: impl Fn(u16) -> Ipv6Addr + Sync) {
    in_parallel(CONNECTIONS, |connection| {
        let own = (0..CALLS).skip(connection).step_by(CONNECTIONS);
        let from = |number: usize| format!("x-forwarded-for: {}\r\n", address(number as u16));
        pipeline(attack, own.map(|number| request("POST", path, &from(number), body)));
    });
}
