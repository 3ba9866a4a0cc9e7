//! Imports users of a Meteor or Rocket.Chat server with their credentials, so that no user has to reset a password.
//!
//! - here: stores one user, unless it exists already;
//! - `document`: reads a document of the collection `users`;
//! - `members`: reads members of unusual types, with a warning.

mod document;
mod members;

use bolide_protocol::ejson::{DecodeError, read_exported};
use serde_json::json;

use super::AccountsHandle;
use crate::store::{AuditEvent, Namesakes, NewUser, StoreError, Unique, User};
use document::DocumentReader;

/// What became of one document, and what of it was changed or dropped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Import {
    /// Whether the user was added.
    pub outcome: Imported,
    /// The user that the document describes.
    pub user: User,
    /// The number of login tokens and personal access tokens.
    pub tokens: usize,
    /// The values that were read in another way than they are written, or dropped.
    pub warnings: Vec<ImportWarning>,
}

/// A value of a document that is not imported as it is written. It prints as a sentence that names the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
#[non_exhaustive]
pub struct ImportWarning {
    /// The field.
    pub field: &'static str,
    /// What is unusual, and what was done about it.
    pub problem: &'static str,
}

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
    /// It is not an object, or a value of extended JSON in it is malformed.
    #[error(transparent)]
    Malformed(DecodeError),
    /// A field is malformed.
    #[error("`{field}` must be {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// The user could not log in.
    #[error("it has no username, address, token or other service by which the user could log in")]
    NoLogin,
    /// Another user has the name, the address or a token.
    #[error("{0} is taken by another user")]
    Taken(Unique),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

/// What is unusual about a profile or further fields that clients could not have set here.
const TOO_LARGE: &str =
    "is larger than that of a new user may be; it is imported, and clients receive it with each login";

/// What is unusual about a name or an address that another user has in another case.
const NAMESAKE: &str = "differs from another user's in case only; both log in by exactly what they have";

impl AccountsHandle {
    /// Imports one document of the collection `users` of a Meteor or Rocket.Chat server, as `mongoexport` writes it
    /// (extended JSON): names, addresses, roles and other fields; the bcrypt or argon2id hash of the password; login
    /// tokens and personal access tokens; the secret of the authenticator app and the hashed backup codes. The hooks for
    /// new users do not run. Other values of an unusual type are converted or dropped, with a warning.
    ///
    /// ```
    /// # use bolide::accounts::Accounts;
    /// # use bolide::chance::SystemChance;
    /// # use bolide::keys::KeyRing;
    /// # use bolide::prelude::*;
    /// # use bolide::store::SqlStore;
    /// use bolide::accounts::Imported;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = SqlStore::open("sqlite::memory:").await?;
    /// # let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await?;
    /// # let app = App::builder().accounts(accounts).build()?;
    /// # let accounts = app.accounts().ok_or("no accounts")?;
    /// let line = r#"{"_id":"DxPjDiGQTvKsS4i6W","username":"ada","createdAt":{"$date":"2021-05-04T09:00:00Z"}}"#;
    /// assert_eq!(accounts.import(line).await?.outcome, Imported::Added);
    /// assert_eq!(accounts.import(line).await?.outcome, Imported::AlreadyThere);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`ImportError`], a sentence that names the field. Nothing is stored then.
    pub async fn import(&self, document: &str) -> Result<Import, ImportError> {
        let (new, import) = self.read_for_import(document).await?;
        if import.outcome == Imported::AlreadyThere {
            return Ok(import);
        }
        let core = self.core();
        let new = NewUser { namesakes: Namesakes::Allowed, ..new };
        core.store.insert_user(new).await.map_err(|error| match error {
            StoreError::Taken(what) => ImportError::Taken(what),
            other => ImportError::Store(other),
        })?;
        core.audit.record(AuditEvent::UserImported, Some(&import.user.id), None, json!({ "by": "operator" })).await;
        Ok(import)
    }

    /// Returns what [`import`](Self::import) would do with a document. Nothing is stored, so names and addresses are
    /// compared with existing users only, not with other documents.
    ///
    /// # Errors
    /// Returns the errors of [`import`](Self::import).
    pub async fn check_import(&self, document: &str) -> Result<Import, ImportError> {
        let (new, import) = self.read_for_import(document).await?;
        if import.outcome == Imported::Added {
            self.check_free(&new.user).await?;
        }
        Ok(import)
    }

    /// Reads a document, and finds out whether the user exists.
    async fn read_for_import(&self, document: &str) -> Result<(NewUser, Import), ImportError> {
        let core = self.core();
        let fields = read_exported(document).map_err(|error| match error {
            DecodeError::Json(error) => ImportError::NoJson(error),
            other => ImportError::Malformed(other),
        })?;
        let reader = DocumentReader {
            keys: &core.keys,
            chance: &*core.chance,
            now: core.clock.now(),
            login_lifetime: &|roles| core.tokens.usual_lifetime(roles),
            warnings: Vec::new(),
        };
        let (new, mut warnings) = reader.read(&fields)?;
        let too_large = core.profile_bounds.too_large_of(&new.user);
        warnings.extend(too_large.map(|field| ImportWarning { field, problem: TOO_LARGE }));
        warnings.extend(self.namesakes(&new.user).await?);
        let existing = core.store.user(&new.user.id).await.map_err(ImportError::Store)?;
        let outcome = if existing.is_some() { Imported::AlreadyThere } else { Imported::Added };
        let import = Import { outcome, user: new.user.clone(), tokens: new.tokens.len(), warnings };
        Ok((new, import))
    }

    /// Returns warnings about a name and addresses that differ from another user's in case only.
    async fn namesakes(&self, user: &User) -> Result<Vec<ImportWarning>, ImportError> {
        let store = &self.core().store;
        let mut warnings = Vec::new();
        if let Some(name) = &user.username
            && store.is_username_taken(name, &user.id).await.map_err(ImportError::Store)?
        {
            warnings.push(ImportWarning { field: "username", problem: NAMESAKE });
        }
        for email in &user.emails {
            if store.is_address_taken(&email.address, &user.id).await.map_err(ImportError::Store)? {
                warnings.push(ImportWarning { field: "emails", problem: NAMESAKE });
            }
        }
        Ok(warnings)
    }

    async fn check_free(&self, user: &User) -> Result<(), ImportError> {
        let store = &self.core().store;
        if let Some(name) = &user.username {
            let found = store.user_by_username(name).await.map_err(ImportError::Store)?;
            if found.is_some_and(|other| other.username.as_ref() == Some(name)) {
                return Err(ImportError::Taken(Unique::Username));
            }
        }
        for email in &user.emails {
            let found = store.user_by_address(&email.address).await.map_err(ImportError::Store)?;
            if found.is_some_and(|other| other.emails.iter().any(|own| own.address == email.address)) {
                return Err(ImportError::Taken(Unique::Address));
            }
        }
        Ok(())
    }
}
