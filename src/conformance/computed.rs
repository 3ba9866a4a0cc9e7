//! Values that a case cannot contain because they depend on remembered values: an authenticator's code, a digest, a
//! joined string, JSON in a string, the answer of a passkey.

use data_encoding::HEXLOWER;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use totp_rs::{Builder, Secret};

use super::passkey;

const STEP_MILLISECONDS: i64 = 30_000;

/// An object with one key in `<…>`, which stands for a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Computed<'form> {
    /// `{"<totp>": [SECRET, TIME, STEPS]}`
    Totp(&'form Value),
    /// `{"<sha256>": TEXT}`
    Sha256(&'form Value),
    /// `{"<join>": [TEXT, …]}`
    Join(&'form Value),
    /// `{"<json>": VALUE}`
    Json(&'form Value),
    /// `{"<passkey>": {"seed": TEXT, "create" or "get": OPTIONS, …}}`
    Passkey(&'form Value),
}

impl<'form> Computed<'form> {
    /// Reads an object. Returns `None` if it stands for itself.
    pub(crate) fn read(members: &'form Map<String, Value>) -> Result<Option<Self>, String> {
        let computed = members.iter().find_map(|(key, argument)| match key.as_str() {
            "<totp>" => Some((key, Self::Totp(argument))),
            "<sha256>" => Some((key, Self::Sha256(argument))),
            "<join>" => Some((key, Self::Join(argument))),
            "<json>" => Some((key, Self::Json(argument))),
            "<passkey>" => Some((key, Self::Passkey(argument))),
            _ => None,
        });
        match computed {
            Some((key, _)) if members.len() > 1 => Err(format!("`{key}` must be the only key of its object")),
            found => Ok(found.map(|(_, computed)| computed)),
        }
    }

    /// Returns the argument, with its placeholders.
    pub(crate) const fn argument(self) -> &'form Value {
        match self {
            Self::Totp(argument)
            | Self::Sha256(argument)
            | Self::Join(argument)
            | Self::Json(argument)
            | Self::Passkey(argument) => argument,
        }
    }

    /// Computes the value from its argument, whose placeholders are replaced.
    pub(crate) fn value(self, argument: &Value) -> Result<Value, String> {
        match self {
            Self::Totp(_) => totp(argument),
            Self::Sha256(_) => Ok(HEXLOWER.encode(&Sha256::digest(text(argument)?)).into()),
            Self::Join(_) => join(argument),
            Self::Json(_) => Ok(argument.to_string().into()),
            Self::Passkey(_) => passkey::answer(argument),
        }
    }
}

/// Computes the TOTP code (SHA-1, six digits) at a time in milliseconds plus a number of steps of thirty seconds.
fn totp(argument: &Value) -> Result<Value, String> {
    let (secret, time, steps) = match argument.as_array().map(Vec::as_slice) {
        Some([secret, time]) => (secret, time, 0),
        Some([secret, time, steps]) => {
            (secret, time, steps.as_i64().ok_or("the steps of `<totp>` must be an integer")?)
        }
        _ => return Err("`<totp>` takes a secret, a time and optionally a number of steps".into()),
    };
    let time = time.as_i64().ok_or("the time of `<totp>` must be in milliseconds")?;
    let secret = Secret::try_from_base32(text(secret)?).map_err(|error| error.to_string())?;
    let seconds = (time + steps * STEP_MILLISECONDS) / 1000;
    let seconds = u64::try_from(seconds).map_err(|error| error.to_string())?;
    Ok(Builder::new().with_secret(secret).build_noncompliant().generate(seconds).to_string().into())
}

fn join(argument: &Value) -> Result<Value, String> {
    let parts = argument.as_array().ok_or("`<join>` takes a list of strings")?;
    let texts: Vec<&str> = parts.iter().map(text).collect::<Result<_, _>>()?;
    Ok(texts.concat().into())
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is not a string"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Computed;

    fn computed(form: &Value) -> Result<Value, String> {
        let form = Computed::read(form.as_object().unwrap())?.unwrap();
        form.value(form.argument())
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // The vectors of RFC 6238 for "12345678901234567890" at 59 and 1111111109 seconds, shortened to six digits.
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(computed(&json!({"<totp>": [secret, 59_000]})).unwrap(), "287082");
        assert_eq!(computed(&json!({"<totp>": [secret, 1_111_111_109_000_i64]})).unwrap(), "081804");
        assert_eq!(computed(&json!({"<totp>": [secret, 29_000, 1]})).unwrap(), "287082");
        assert_eq!(computed(&json!({"<totp>": [secret, 119_000, -2]})).unwrap(), "287082");
    }

    #[test]
    fn digests_are_hexadecimal() {
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(computed(&json!({"<sha256>": "abc"})).unwrap(), digest);
    }

    #[test]
    fn texts_are_joined_and_json_is_written() {
        assert_eq!(computed(&json!({"<join>": ["a", "@", "b"]})).unwrap(), "a@b");
        assert_eq!(computed(&json!({"<json>": {"a": [1]}})).unwrap(), r#"{"a":[1]}"#);
    }

    #[test]
    fn what_cannot_be_computed_is_an_error() {
        for wrong in [
            json!({"<totp>": "x"}),
            json!({"<totp>": ["1", 5]}),
            json!({"<totp>": ["GEZDGNBVGY3TQOJQ", "now"]}),
            json!({"<totp>": ["GEZDGNBVGY3TQOJQ", 0, -1]}),
            json!({"<sha256>": 1}),
            json!({"<join>": ["a", 1]}),
            json!({"<json>": 1, "a": 1}),
        ] {
            assert!(computed(&wrong).is_err(), "{wrong}");
        }
    }
}
