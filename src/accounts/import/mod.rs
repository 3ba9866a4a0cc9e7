//! Imports users of a Meteor or Rocket.Chat server with their credentials, so that no user has to reset a password.
//!
//! - here: stores one user, unless it exists already;
//! - `document`: reads a document of the collection `users`;
//! - `extended_json`: values as `mongoexport` writes them.

mod document;
mod extended_json;

use bolide_protocol::Ejson;
use serde_json::json;

use super::AccountsHandle;
use crate::store::{AuditEvent, StoreError, Unique};
use document::DocumentReader;

/// The outcome of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// The user was added.
    Added,
    /// A user with this id existed already and is unchanged.
    AlreadyThere,
}

/// Why a document was not imported. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is no JSON.
    #[error("it is no JSON: {0}")]
    NoJson(#[source] serde_json::Error),
    /// A field is malformed.
    #[error("`{field}` must be {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// Another user has the name, the address or a token.
    #[error("{0} is taken by another user")]
    Taken(Unique),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl AccountsHandle {
    /// Imports one document of the collection `users` of a Meteor or Rocket.Chat server, as `mongoexport` writes it
    /// (extended JSON): names, addresses, roles and other fields; the bcrypt or argon2id hash of the password; login
    /// tokens and personal access tokens; the secret of the authenticator app and the hashed backup codes. The hooks for
    /// new users do not run.
    ///
    /// ```
    /// # use bolide::accounts::Accounts;
    /// # use bolide::chance::SystemChance;
    /// # use bolide::keys::KeyRing;
    /// # use bolide::prelude::*;
    /// # use bolide::store::SqliteStore;
    /// use bolide::accounts::Imported;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = SqliteStore::open("sqlite::memory:").await?;
    /// # let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await?;
    /// # let app = App::builder().accounts(accounts).build()?;
    /// # let accounts = app.accounts().ok_or("no accounts")?;
    /// let line = r#"{"_id":"DxPjDiGQTvKsS4i6W","username":"ada","createdAt":{"$date":"2021-05-04T09:00:00Z"}}"#;
    /// assert_eq!(accounts.import(line).await?, Imported::Added);
    /// assert_eq!(accounts.import(line).await?, Imported::AlreadyThere);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`ImportError`], a sentence that names the field. Nothing is stored then.
    pub async fn import(&self, document: &str) -> Result<Imported, ImportError> {
        let parsed = serde_json::from_str(document).map_err(ImportError::NoJson)?;
        self.import_document(&extended_json::decode(parsed)).await
    }

    async fn import_document(&self, document: &Ejson) -> Result<Imported, ImportError> {
        let core = self.core();
        let reader = DocumentReader {
            keys: &core.keys,
            chance: &*core.chance,
            now: core.clock.now(),
            login_lifetime: core.tokens.lifetime(),
        };
        let new = reader.read(document)?;
        let id = new.user.id.clone();
        if core.store.user(&id).await.map_err(ImportError::Store)?.is_some() {
            return Ok(Imported::AlreadyThere);
        }
        core.store.insert_user(new).await.map_err(|error| match error {
            StoreError::Taken(what) => ImportError::Taken(what),
            other => ImportError::Store(other),
        })?;
        core.audit.record(AuditEvent::UserImported, Some(&id), None, json!({ "by": "operator" })).await;
        Ok(Imported::Added)
    }
}
