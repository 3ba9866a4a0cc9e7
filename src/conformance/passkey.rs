//! What a passkey answers, for cases: an authenticator whose keys follow from a seed, so that each answer follows from the
//! request alone.

use serde::Deserialize;
use serde_json::Value;

use crate::testing::PasskeyAuthenticator;

/// The origin on which passkeys of the conformance server may be used.
const ORIGIN: &str = "http://localhost:3000";

/// The argument of `<passkey>`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The name of the authenticator.
    seed: String,
    /// The options of a registration.
    create: Option<Value>,
    /// The options of an assertion.
    get: Option<Value>,
    /// The handle of the user, for a login without anything else.
    user: Option<String>,
    origin: Option<String>,
    /// Whether the user shows a PIN. Default: `true`.
    verified: Option<bool>,
    /// The number of signatures before. Without it, the authenticator does not count.
    counter: Option<u32>,
}

/// Returns the answer as JSON text.
pub(super) fn answer(argument: &Value) -> Result<Value, String> {
    let wanted: Wanted = serde_json::from_value(argument.clone()).map_err(|error| format!("`<passkey>`: {error}"))?;
    let mut authenticator = PasskeyAuthenticator::from_seed(wanted.origin.as_deref().unwrap_or(ORIGIN), &wanted.seed);
    authenticator.verifies_users(wanted.verified.unwrap_or(true));
    authenticator.counts(wanted.counter.is_some());
    let answer = match (wanted.create, wanted.get) {
        (Some(options), None) => {
            for member in ["/rp/id", "/user/id"] {
                text(&options, member)?;
            }
            authenticator.register(&options)
        }
        (None, Some(options)) => {
            authenticator.remember(text(&options, "/rpId")?, wanted.user.as_deref());
            authenticator.set_counter(wanted.counter.unwrap_or_default());
            authenticator.get(&options).ok_or("the request does not allow this passkey")?
        }
        _ => return Err("`<passkey>` needs either `create` or `get`".into()),
    };
    Ok(answer.to_string().into())
}

fn text<'options>(options: &'options Value, member: &str) -> Result<&'options str, String> {
    let value = options.pointer(member).and_then(Value::as_str);
    value.ok_or_else(|| format!("the options of `<passkey>` have no text at {member}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::answer;

    #[test]
    fn an_answer_follows_from_the_request() {
        let create = json!({ "rp": { "id": "localhost" }, "user": { "id": "dQ" }, "challenge": "AAAA" });
        let get = json!({ "rpId": "localhost", "challenge": "AAAA", "allowCredentials": [] });
        for argument in [json!({ "seed": "a", "create": create }), json!({ "seed": "a", "get": get, "counter": 7 })] {
            assert_eq!(answer(&argument), answer(&argument));
            assert!(answer(&argument).is_ok());
        }
        let other = json!([{ "type": "public-key", "id": "AAAA" }]);
        let elsewhere = json!({ "rpId": "localhost", "challenge": "AAAA", "allowCredentials": other });
        for wrong in [
            json!({}),
            json!({ "seed": "a" }),
            json!({ "seed": "a", "create": {} }),
            json!({ "seed": "a", "get": {} }),
            json!({ "seed": "a", "get": get, "create": create }),
            json!({ "seed": "a", "get": elsewhere }),
            json!({ "seed": "a", "get": get, "unknown": 1 }),
        ] {
            assert!(answer(&wrong).is_err(), "{wrong}");
        }
    }
}
