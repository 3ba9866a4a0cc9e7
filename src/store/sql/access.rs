//! How access ends, in SQL.

use super::columns::hashed_token;
use super::layer::{Transaction, query};
use super::{SqlStore, Touches};
use crate::store::access::Access;
use crate::store::{
    HashedToken, Kept, KeyedHash, Link, PasswordProof, StoreError, StoreFuture, StoredHash, Verification, fold,
};
use crate::user::UserId;

/// What is removed of a user in any case.
const ALWAYS_ENDED: [&str; 5] = [
    "DELETE FROM links WHERE user_id = $1 AND purpose <> 'verify'",
    "DELETE FROM email_codes WHERE user_id = $1",
    END_CHALLENGES,
    END_PENDING,
    "UPDATE tokens SET trusted_since = NULL, trusted_until = NULL, fingerprint = NULL WHERE user_id = $1",
];

const END_CHALLENGES: &str = "DELETE FROM challenges WHERE user_id = $1";
const END_PENDING: &str =
    "UPDATE users SET totp_pending = NULL, totp_pending_token = NULL, totp_pending_since = NULL WHERE id = $1";
const END_VERIFYING_LINKS: &str = "DELETE FROM links WHERE user_id = $1";

impl Access for SqlStore {
    fn end_access<'store>(
        &'store self,
        user: &'store UserId,
        kept: Kept<'store>,
    ) -> StoreFuture<'store, Vec<HashedToken>> {
        Box::pin(async move {
            let ending = Ending::new(user, kept);
            self.transaction(Touches::Everything, |transaction| Box::pin(async move { ending.run(transaction).await }))
                .await
        })
    }

    fn renew_password<'store>(
        &'store self,
        user: &'store UserId,
        proof: PasswordProof<'store>,
        new: StoredHash,
        kept: Kept<'store>,
    ) -> StoreFuture<'store, Option<Vec<HashedToken>>> {
        Box::pin(async move {
            let (ending, proof) = (Ending::new(user, kept), OwnedProof::from(proof));
            self.transaction(Touches::Everything, |transaction| {
                Box::pin(async move {
                    transaction.lock_user(&ending.user).await?;
                    if !proof.set_password(transaction, &ending.user, &new).await? {
                        return Ok(None);
                    }
                    ending.run(transaction).await.map(Some)
                })
            })
            .await
        })
    }

    fn deactivate<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, Vec<HashedToken>> {
        Box::pin(async move {
            let ending = Ending::new(user, Kept::Nothing);
            self.transaction(Touches::Everything, |transaction| {
                Box::pin(async move {
                    run(transaction, "UPDATE users SET is_active = FALSE WHERE id = $1", &ending.user).await?;
                    ending.run(transaction).await
                })
            })
            .await
        })
    }

    fn verify_by_link<'store>(&'store self, link: &'store Link) -> StoreFuture<'store, Verification> {
        Box::pin(async move {
            let link = link.clone();
            self.transaction(Touches::Everything, |transaction| {
                Box::pin(async move {
                    transaction.lock_user(&link.user).await?;
                    if !take_link(transaction, &link.hash, &link.user).await? {
                        return Ok(Verification::LinkUsed);
                    }
                    let address = link.address.as_deref().unwrap_or_default();
                    match verify(transaction, &link.user, address).await? {
                        None => Ok(Verification::UnknownAddress),
                        Some(IsFirst(false)) => Ok(Verification::Again),
                        Some(IsFirst(true)) => {
                            run(transaction, END_CHALLENGES, &link.user).await?;
                            run(transaction, END_PENDING, &link.user).await?;
                            delete_tokens(transaction, DELETE_PERSONAL_TOKENS, &link.user, None)
                                .await
                                .map(Verification::First)
                        }
                    }
                })
            })
            .await
        })
    }
}

const DELETE_TOKENS: &str =
    "DELETE FROM tokens WHERE user_id = $1 AND (CAST($2 AS TEXT) IS NULL OR hashed <> $2) RETURNING hashed";
const DELETE_SESSIONS: &str = "DELETE FROM tokens WHERE user_id = $1 AND (CAST($2 AS TEXT) IS NULL OR hashed <> $2) \
     AND expires_at IS NOT NULL RETURNING hashed";
const DELETE_PERSONAL_TOKENS: &str = "DELETE FROM tokens WHERE user_id = $1 AND (CAST($2 AS TEXT) IS NULL OR hashed <> $2) \
     AND expires_at IS NULL RETURNING hashed";

/// What ends and what stays, as a transaction owns it.
struct Ending {
    user: UserId,
    own: Option<HashedToken>,
    keeps_personal: bool,
    keeps_nothing: bool,
}

enum OwnedProof {
    Present(StoredHash),
    Link(KeyedHash),
    Granted,
}

/// Whether an address was not verified before.
struct IsFirst(bool);

impl Ending {
    fn new(user: &UserId, kept: Kept<'_>) -> Self {
        Self {
            user: user.clone(),
            own: kept.own().cloned(),
            keeps_personal: kept.keeps_personal(),
            keeps_nothing: kept == Kept::Nothing,
        }
    }

    async fn run(&self, transaction: &mut Transaction) -> Result<Vec<HashedToken>, StoreError> {
        transaction.lock_user(&self.user).await?;
        for statement in ALWAYS_ENDED {
            run(transaction, statement, &self.user).await?;
        }
        if self.keeps_nothing {
            run(transaction, END_VERIFYING_LINKS, &self.user).await?;
        }
        let statement = if self.keeps_personal { DELETE_SESSIONS } else { DELETE_TOKENS };
        delete_tokens(transaction, statement, &self.user, self.own.as_ref()).await
    }
}

impl OwnedProof {
    /// Sets the password if the proof is valid, and returns whether it was.
    async fn set_password(
        &self,
        transaction: &mut Transaction,
        user: &UserId,
        new: &StoredHash,
    ) -> Result<bool, StoreError> {
        let present = match self {
            Self::Present(present) => Some(present.as_str()),
            Self::Granted => None,
            Self::Link(hash) => {
                let link = query("DELETE FROM links WHERE hash = $1 AND user_id = $2 RETURNING address");
                let link = link.bind(hash.as_str()).bind(user.as_str()).fetch_optional(&mut *transaction).await?;
                let Some(link) = link else { return Ok(false) };
                if let Some(address) = link.get::<Option<String>>("address")? {
                    verify(transaction, user, &address).await?;
                }
                None
            }
        };
        let set = query(
            "UPDATE users SET password = $2, must_change_password = FALSE WHERE id = $1 AND (CAST($3 AS TEXT) IS NULL OR password = $3)",
        );
        let set = set.bind(user.as_str()).bind(new.as_str()).bind(present);
        Ok(set.execute(&mut *transaction).await? > 0)
    }
}

impl From<PasswordProof<'_>> for OwnedProof {
    fn from(proof: PasswordProof<'_>) -> Self {
        match proof {
            PasswordProof::Present(hash) => Self::Present(hash.clone()),
            PasswordProof::Link(hash) => Self::Link(hash.clone()),
            PasswordProof::Granted => Self::Granted,
        }
    }
}

async fn run(transaction: &mut Transaction, statement: &'static str, user: &UserId) -> Result<(), StoreError> {
    Ok(query(statement).bind(user.as_str()).execute(transaction).await.map(drop)?)
}

async fn take_link(transaction: &mut Transaction, hash: &KeyedHash, user: &UserId) -> Result<bool, StoreError> {
    let taken = query("DELETE FROM links WHERE hash = $1 AND user_id = $2");
    let taken = taken.bind(hash.as_str()).bind(user.as_str()).execute(transaction).await?;
    Ok(taken > 0)
}

/// Marks an address as verified. Returns `None` if the user does not have it.
async fn verify(transaction: &mut Transaction, user: &UserId, address: &str) -> Result<Option<IsFirst>, StoreError> {
    let was = query("SELECT is_verified FROM emails WHERE user_id = $1 AND folded = $2");
    let was = was.bind(user.as_str()).bind(fold(address)).fetch_optional(&mut *transaction).await?;
    let Some(was) = was else { return Ok(None) };
    let verified = query("UPDATE emails SET is_verified = TRUE WHERE user_id = $1 AND folded = $2");
    verified.bind(user.as_str()).bind(fold(address)).execute(transaction).await?;
    Ok(Some(IsFirst(!was.get::<bool>("is_verified")?)))
}

async fn delete_tokens(
    transaction: &mut Transaction,
    statement: &'static str,
    user: &UserId,
    own: Option<&HashedToken>,
) -> Result<Vec<HashedToken>, StoreError> {
    let deleted = query(statement).bind(user.as_str()).bind(own.map(HashedToken::as_str));
    let rows = deleted.fetch_all(transaction).await?;
    rows.iter().map(hashed_token).collect()
}
