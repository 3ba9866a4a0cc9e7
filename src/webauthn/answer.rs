//! [`Answer`]: what the answers of both ceremonies have in common, in their JSON form.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{LONGEST_ANSWER, LONGEST_ID, Mistake, decoded};

/// The answer of an authenticator.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<Response> {
    /// The id of the credential, in base64url.
    pub(super) id: String,
    raw_id: String,
    #[serde(rename = "type")]
    kind: String,
    pub(super) response: Response,
}

impl<Response: DeserializeOwned> Answer<Response> {
    pub(super) fn read(text: &str) -> Result<Self, Mistake> {
        if text.len() > LONGEST_ANSWER {
            return Err(Mistake::Form);
        }
        let answer: Self = serde_json::from_str(text).map_err(|_| Mistake::Form)?;
        if answer.id != answer.raw_id || decoded(&answer.id)?.len() > LONGEST_ID {
            return Err(Mistake::Id);
        }
        if answer.kind != "public-key" {
            return Err(Mistake::Form);
        }
        Ok(answer)
    }
}
