//! Login tokens, in SQL.

use std::collections::HashSet;
use std::sync::Arc;

use super::columns::{hashed_token, optional_time, time, user_id};
use super::layer::{Pool, Row, Sql, Transaction, list_size, placeholders, query};
use super::{SqlStore, Touches};
use crate::clock::Timestamp;
use crate::store::token::Tokens;
use crate::store::{
    ClientSighting, Fingerprint, HashedToken, KeyedHash, LoginToken, StoreError, StoreFuture, TokenKind, Trust,
};
use crate::user::UserId;

/// The columns that [`read`] needs.
const COLUMNS: &str = "hashed, user_id, created_at, expires_at, name, last_part, bypasses, trusted_since, trusted_until, \
     fingerprint, last_used_at, last_address, last_user_agent";

/// Leaves those that another transaction has locked to the next time: whoever deletes many must not wait for whoever changes
/// some of them.
const DELETE_EXPIRED: Sql = Sql::each(
    "DELETE FROM tokens WHERE expires_at <= $1 RETURNING hashed",
    "DELETE FROM tokens WHERE hashed IN (SELECT hashed FROM tokens WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED) \
     RETURNING hashed",
);

impl Tokens for SqlStore {
    fn insert_token(&self, token: LoginToken) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let hashed = token.hashed.clone();
            self.transaction(Touches::Token(&hashed), |transaction| {
                Box::pin(async move { insert(transaction, &token).await })
            })
            .await
        })
    }

    fn insert_token_beside<'store>(
        &'store self,
        own: &'store HashedToken,
        token: LoginToken,
    ) -> StoreFuture<'store, bool> {
        Box::pin(async move {
            let (own, hashed) = (own.clone(), token.hashed.clone());
            self.transaction(Touches::Token(&hashed), |transaction| {
                Box::pin(async move {
                    transaction.lock_user(&token.user).await?;
                    let there = query("SELECT 1 FROM tokens WHERE hashed = $1 AND user_id = $2");
                    let there = there.bind(own.as_str()).bind(token.user.as_str());
                    if there.fetch_optional(&mut *transaction).await?.is_none() {
                        return Ok(false);
                    }
                    insert(transaction, &token).await?;
                    Ok(true)
                })
            })
            .await
        })
    }

    fn token<'store>(&'store self, hashed: &'store HashedToken) -> StoreFuture<'store, Option<LoginToken>> {
        Box::pin(async move {
            let cache = &self.caches.tokens;
            if let Some(token) = cache.get(hashed) {
                return Ok(Some(LoginToken::clone(&token)));
            }
            let since = cache.now();
            // Boxed, since a statement is a large future, and the cache answers most calls.
            let found = Box::pin(load(&self.database.reader, hashed)).await?;
            if let Some(token) = &found {
                cache.keep(since, hashed.clone(), Arc::new(token.clone()));
            }
            Ok(found)
        })
    }

    fn tokens_of<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, Vec<LoginToken>> {
        Box::pin(async move {
            let rows = query(format!("SELECT {COLUMNS} FROM tokens WHERE user_id = $1 ORDER BY created_at, hashed"));
            rows.bind(user.as_str()).fetch_all(&self.database.reader).await?.iter().map(read).collect()
        })
    }

    fn ended_tokens<'store>(
        &'store self,
        tokens: &'store [HashedToken],
        now: Timestamp,
    ) -> StoreFuture<'store, Vec<HashedToken>> {
        Box::pin(async move {
            if tokens.is_empty() {
                return Ok(Vec::new());
            }
            let list = placeholders(2, list_size(tokens.len()));
            let valid = query(format!(
                "SELECT hashed FROM tokens JOIN users ON users.id = user_id \
                 WHERE is_active AND (expires_at IS NULL OR expires_at > $1) AND hashed IN ({list})"
            ));
            let valid = valid.bind(now.milliseconds()).bind_list(tokens.iter().map(HashedToken::as_str));
            let rows = valid.fetch_all(&self.database.reader).await?;
            let valid = rows.iter().map(hashed_token).collect::<Result<HashSet<_>, _>>()?;
            let ended: Vec<_> = tokens.iter().filter(|token| !valid.contains(*token)).cloned().collect();
            for token in &ended {
                self.caches.tokens.forget(token);
            }
            if !ended.is_empty() {
                self.caches.users.forget_all();
            }
            Ok(ended)
        })
    }

    fn delete_token<'store>(&'store self, hashed: &'store HashedToken) -> StoreFuture<'store, bool> {
        self.change_of(Touches::Token(hashed), query("DELETE FROM tokens WHERE hashed = $1").bind(hashed.as_str()))
    }

    fn delete_session_tokens<'store>(
        &'store self,
        user: &'store UserId,
        except: Option<&'store HashedToken>,
    ) -> StoreFuture<'store, Vec<HashedToken>> {
        Box::pin(async move {
            let others = query(
                "DELETE FROM tokens WHERE user_id = $1 AND expires_at IS NOT NULL \
                 AND (CAST($2 AS TEXT) IS NULL OR hashed <> $2) RETURNING hashed",
            );
            let others = others.bind(user.as_str().to_owned()).bind(except.map(|token| token.as_str().to_owned()));
            self.remove_tokens_of(user, others).await
        })
    }

    fn delete_personal_token<'store>(
        &'store self,
        user: &'store UserId,
        name: &'store str,
    ) -> StoreFuture<'store, Option<HashedToken>> {
        Box::pin(async move {
            let removed = query("DELETE FROM tokens WHERE user_id = $1 AND name = $2 RETURNING hashed");
            let removed = removed.bind(user.as_str().to_owned()).bind(name.to_owned());
            Ok(self.remove_tokens_of(user, removed).await?.pop())
        })
    }

    fn replace_personal_token<'store>(
        &'store self,
        user: &'store UserId,
        name: &'store str,
        hashed: HashedToken,
        last_part: String,
        now: Timestamp,
    ) -> StoreFuture<'store, Option<HashedToken>> {
        Box::pin(async move {
            let (user, name) = (user.clone(), name.to_owned());
            self.transaction(Touches::Tokens, |transaction| {
                Box::pin(async move {
                    transaction.lock_user(&user).await?;
                    let old = query("SELECT hashed FROM tokens WHERE user_id = $1 AND name = $2");
                    let old = old.bind(user.as_str()).bind(&name).fetch_optional(&mut *transaction).await?;
                    let Some(old) = old else { return Ok(None) };
                    query(
                        "UPDATE tokens SET hashed = $3, last_part = $4, created_at = $5, trusted_since = NULL, \
                         trusted_until = NULL, fingerprint = NULL, last_used_at = NULL, last_address = NULL, \
                         last_user_agent = NULL WHERE user_id = $1 AND name = $2",
                    )
                    .bind(user.as_str())
                    .bind(&name)
                    .bind(hashed.as_str())
                    .bind(last_part)
                    .bind(now.milliseconds())
                    .execute(&mut *transaction)
                    .await?;
                    hashed_token(&old).map(Some)
                })
            })
            .await
        })
    }

    fn trust_token<'store>(&'store self, hashed: &'store HashedToken, trust: Trust) -> StoreFuture<'store, bool> {
        self.change_of(
            Touches::Token(hashed),
            query("UPDATE tokens SET trusted_since = $2, trusted_until = $3, fingerprint = $4 WHERE hashed = $1")
                .bind(hashed.as_str())
                .bind(trust.since.milliseconds())
                .bind(trust.until.milliseconds())
                .bind(trust.fingerprint.0),
        )
    }

    fn distrust_tokens<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, ()> {
        Box::pin(async move {
            let all =
                "UPDATE tokens SET trusted_since = NULL, trusted_until = NULL, fingerprint = NULL WHERE user_id = $1";
            self.change_of(Touches::Tokens, query(all).bind(user.as_str())).await.map(drop)
        })
    }

    fn touch_token<'store>(
        &'store self,
        hashed: &'store HashedToken,
        at: Timestamp,
        address: Option<String>,
        user_agent: Option<String>,
    ) -> StoreFuture<'store, ()> {
        Box::pin(async move {
            let used = "UPDATE tokens SET last_used_at = $2, last_address = $3, last_user_agent = $4 WHERE hashed = $1";
            let used = query(used).bind(hashed.as_str()).bind(at.milliseconds()).bind(address).bind(user_agent);
            self.change_of(Touches::Token(hashed), used).await.map(drop)
        })
    }

    fn delete_expired_tokens(&self, now: Timestamp) -> StoreFuture<'_, Vec<HashedToken>> {
        Box::pin(async move {
            self.transaction(Touches::Tokens, |transaction| {
                Box::pin(async move {
                    let expired = query(DELETE_EXPIRED).bind(now.milliseconds()).fetch_all(transaction).await?;
                    expired.iter().map(hashed_token).collect()
                })
            })
            .await
        })
    }

    fn note_client<'store>(
        &'store self,
        user: &'store UserId,
        client: &'store [KeyedHash],
        at: Timestamp,
    ) -> StoreFuture<'store, ClientSighting> {
        Box::pin(async move {
            let (user, client) = (user.clone(), client.to_vec());
            self.transaction(Touches::Nothing, |transaction| {
                Box::pin(async move { note_client(transaction, &user, &client, at).await })
            })
            .await
        })
    }
}

async fn note_client(
    transaction: &mut Transaction,
    user: &UserId,
    client: &[KeyedHash],
    at: Timestamp,
) -> Result<ClientSighting, StoreError> {
    transaction.lock_user(user).await?;
    for hash in client {
        let seen = query("UPDATE seen_clients SET seen_at = $3 WHERE user_id = $1 AND client = $2");
        let seen = seen.bind(user.as_str()).bind(hash.as_str()).bind(at.milliseconds());
        if seen.execute(&mut *transaction).await? > 0 {
            return Ok(ClientSighting::Known);
        }
    }
    let others = query("SELECT 1 FROM seen_clients WHERE user_id = $1 LIMIT 1").bind(user.as_str());
    let is_first = others.fetch_optional(&mut *transaction).await?.is_none();
    let Some(current) = client.first() else { return Ok(ClientSighting::Known) };
    query("INSERT INTO seen_clients (user_id, client, seen_at) VALUES ($1, $2, $3)")
        .bind(user.as_str())
        .bind(current.as_str())
        .bind(at.milliseconds())
        .execute(&mut *transaction)
        .await?;
    query(
        "DELETE FROM seen_clients WHERE user_id = $1 AND client NOT IN \
         (SELECT client FROM seen_clients WHERE user_id = $1 ORDER BY seen_at DESC, client = $2 DESC LIMIT 50)",
    )
    .bind(user.as_str())
    .bind(current.as_str())
    .execute(transaction)
    .await?;
    Ok(if is_first { ClientSighting::First } else { ClientSighting::New })
}

pub(super) async fn insert(transaction: &mut Transaction, token: &LoginToken) -> Result<(), StoreError> {
    let (name, last_part) = match &token.kind {
        TokenKind::Session { .. } => (None, None),
        TokenKind::Personal { name, last_part, .. } => (Some(name), Some(last_part)),
    };
    query(
        "INSERT INTO tokens (hashed, user_id, created_at, expires_at, name, last_part, bypasses, trusted_since, \
         trusted_until, fingerprint, last_used_at, last_address, last_user_agent) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(token.hashed.as_str())
    .bind(token.user.as_str())
    .bind(token.created_at.milliseconds())
    .bind(token.expires_at().map(Timestamp::milliseconds))
    .bind(name)
    .bind(last_part)
    .bind(token.bypasses_two_factor())
    .bind(token.trust.as_ref().map(|trust| trust.since.milliseconds()))
    .bind(token.trust.as_ref().map(|trust| trust.until.milliseconds()))
    .bind(token.trust.as_ref().map(|trust| trust.fingerprint.0.clone()))
    .bind(token.last_used_at.map(Timestamp::milliseconds))
    .bind(token.last_address.as_deref())
    .bind(token.last_user_agent.as_deref())
    .execute(transaction)
    .await?;
    Ok(())
}

async fn load(reader: &Pool, hashed: &HashedToken) -> Result<Option<LoginToken>, StoreError> {
    let row = query(format!("SELECT {COLUMNS} FROM tokens WHERE hashed = $1")).bind(hashed.as_str());
    row.fetch_optional(reader).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<LoginToken, StoreError> {
    let kind = match optional_time(row, "expires_at")? {
        Some(expires_at) => TokenKind::Session { expires_at },
        None => TokenKind::Personal {
            name: row.get("name")?,
            last_part: row.get("last_part")?,
            bypasses_two_factor: row.get("bypasses")?,
        },
    };
    let trust = match (optional_time(row, "trusted_since")?, optional_time(row, "trusted_until")?) {
        (Some(since), Some(until)) => Some(Trust { since, until, fingerprint: Fingerprint(row.get("fingerprint")?) }),
        _ => None,
    };
    Ok(LoginToken {
        hashed: hashed_token(row)?,
        user: user_id(row, "user_id")?,
        kind,
        created_at: time(row, "created_at")?,
        trust,
        last_used_at: optional_time(row, "last_used_at")?,
        last_address: row.get("last_address")?,
        last_user_agent: row.get("last_user_agent")?,
    })
}
