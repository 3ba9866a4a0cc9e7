//! Login tokens, in SQL.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::QueryBuilder;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::row::{failed, get, optional_time, time};
use super::{SqliteStore, Touches};
use crate::clock::Timestamp;
use crate::store::token::Tokens;
use crate::store::{
    ClientSighting, Fingerprint, HashedToken, KeyedHash, LoginToken, StoreError, StoreFuture, TokenKind, Trust,
};
use crate::user::UserId;

impl Tokens for SqliteStore {
    fn insert_token(&self, token: LoginToken) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let hashed = token.hashed.clone();
            self.transaction(Touches::Token(&hashed), |connection| {
                Box::pin(async move { insert(connection, &token).await })
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
            self.transaction(Touches::Token(&hashed), |connection| {
                Box::pin(async move {
                    let there = sqlx::query("SELECT 1 FROM tokens WHERE hashed = $1 AND user_id = $2");
                    let there = there.bind(own.as_str()).bind(token.user.as_str());
                    if there.fetch_optional(&mut *connection).await.map_err(failed)?.is_none() {
                        return Ok(false);
                    }
                    insert(connection, &token).await?;
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
            let row = sqlx::query("SELECT * FROM tokens WHERE hashed = $1").bind(hashed.as_str());
            let found = row.fetch_optional(&self.reader).await.map_err(failed)?.as_ref().map(read).transpose()?;
            if let Some(token) = &found {
                cache.keep(since, hashed.clone(), Arc::new(token.clone()));
            }
            Ok(found)
        })
    }

    fn tokens_of<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, Vec<LoginToken>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT * FROM tokens WHERE user_id = $1 ORDER BY created_at, hashed");
            rows.bind(user.as_str()).fetch_all(&self.reader).await.map_err(failed)?.iter().map(read).collect()
        })
    }

    fn ended_tokens<'store>(
        &'store self,
        tokens: &'store [HashedToken],
        now: Timestamp,
    ) -> StoreFuture<'store, Vec<HashedToken>> {
        Box::pin(async move {
            let mut valid = QueryBuilder::new(
                "SELECT hashed FROM tokens JOIN users ON users.id = user_id WHERE is_active AND (expires_at IS NULL OR expires_at > ",
            );
            valid.push_bind(now.milliseconds()).push(") AND hashed IN (");
            let mut list = valid.separated(", ");
            for hashed in tokens {
                list.push_bind(hashed.as_str());
            }
            valid.push(")");
            let rows = valid.build_query_scalar::<String>().fetch_all(&self.reader).await.map_err(failed)?;
            let valid: HashSet<_> = rows.into_iter().collect();
            let ended: Vec<_> = tokens.iter().filter(|token| !valid.contains(token.as_str())).cloned().collect();
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
        self.change_of(
            Touches::Token(hashed),
            sqlx::query("DELETE FROM tokens WHERE hashed = $1").bind(hashed.as_str()),
        )
    }

    fn delete_session_tokens<'store>(
        &'store self,
        user: &'store UserId,
        except: Option<&'store HashedToken>,
    ) -> StoreFuture<'store, Vec<HashedToken>> {
        self.remove_tokens(
            sqlx::query(
                "DELETE FROM tokens WHERE user_id = $1 AND expires_at IS NOT NULL AND ($2 IS NULL OR hashed <> $2) \
                 RETURNING hashed",
            )
            .bind(user.as_str())
            .bind(except.map(HashedToken::as_str)),
        )
    }

    fn delete_personal_token<'store>(
        &'store self,
        user: &'store UserId,
        name: &'store str,
    ) -> StoreFuture<'store, Option<HashedToken>> {
        Box::pin(async move {
            let removed = sqlx::query("DELETE FROM tokens WHERE user_id = $1 AND name = $2 RETURNING hashed");
            Ok(self.remove_tokens(removed.bind(user.as_str()).bind(name)).await?.pop())
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
            self.transaction(Touches::Tokens, |connection| {
                Box::pin(async move {
                    let old = sqlx::query("SELECT hashed FROM tokens WHERE user_id = $1 AND name = $2");
                    let old = old.bind(user.as_str()).bind(&name).fetch_optional(&mut *connection).await;
                    let Some(old) = old.map_err(failed)? else { return Ok(None) };
                    sqlx::query(
                        "UPDATE tokens SET hashed = $3, last_part = $4, created_at = $5, trusted_since = NULL, \
                         trusted_until = NULL, fingerprint = NULL, last_used_at = NULL, last_address = NULL, \
                         last_user_agent = NULL WHERE user_id = $1 AND name = $2",
                    )
                    .bind(user.as_str())
                    .bind(&name)
                    .bind(hashed.as_str())
                    .bind(last_part)
                    .bind(now.milliseconds())
                    .execute(&mut *connection)
                    .await
                    .map_err(failed)?;
                    Ok(Some(HashedToken::from_base64(get::<String>(&old, "hashed")?)))
                })
            })
            .await
        })
    }

    fn trust_token<'store>(&'store self, hashed: &'store HashedToken, trust: Trust) -> StoreFuture<'store, bool> {
        self.change_of(
            Touches::Token(hashed),
            sqlx::query("UPDATE tokens SET trusted_since = $2, trusted_until = $3, fingerprint = $4 WHERE hashed = $1")
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
            self.change_of(Touches::Tokens, sqlx::query(all).bind(user.as_str())).await.map(drop)
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
            let used = sqlx::query(used).bind(hashed.as_str()).bind(at.milliseconds()).bind(address).bind(user_agent);
            self.change_of(Touches::Token(hashed), used).await.map(drop)
        })
    }

    fn delete_expired_tokens(&self, now: Timestamp) -> StoreFuture<'_, Vec<HashedToken>> {
        self.remove_tokens(
            sqlx::query("DELETE FROM tokens WHERE expires_at <= $1 RETURNING hashed").bind(now.milliseconds()),
        )
    }

    fn note_client<'store>(
        &'store self,
        user: &'store UserId,
        client: &'store [KeyedHash],
        at: Timestamp,
    ) -> StoreFuture<'store, ClientSighting> {
        Box::pin(async move {
            let (user, client) = (user.clone(), client.to_vec());
            self.transaction(Touches::Nothing, |connection| {
                Box::pin(async move { note_client(connection, &user, &client, at).await })
            })
            .await
        })
    }
}

async fn note_client(
    connection: &mut SqliteConnection,
    user: &UserId,
    client: &[KeyedHash],
    at: Timestamp,
) -> Result<ClientSighting, StoreError> {
    for hash in client {
        let seen = sqlx::query("UPDATE seen_clients SET seen_at = $3 WHERE user_id = $1 AND client = $2");
        let seen = seen.bind(user.as_str()).bind(hash.as_str()).bind(at.milliseconds());
        if seen.execute(&mut *connection).await.map_err(failed)?.rows_affected() > 0 {
            return Ok(ClientSighting::Known);
        }
    }
    let others = sqlx::query("SELECT 1 FROM seen_clients WHERE user_id = $1 LIMIT 1").bind(user.as_str());
    let is_first = others.fetch_optional(&mut *connection).await.map_err(failed)?.is_none();
    let Some(current) = client.first() else { return Ok(ClientSighting::Known) };
    sqlx::query("INSERT INTO seen_clients (user_id, client, seen_at) VALUES ($1, $2, $3)")
        .bind(user.as_str())
        .bind(current.as_str())
        .bind(at.milliseconds())
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    sqlx::query(
        "DELETE FROM seen_clients WHERE user_id = $1 AND client NOT IN \
         (SELECT client FROM seen_clients WHERE user_id = $1 ORDER BY seen_at DESC, client = $2 DESC LIMIT 50)",
    )
    .bind(user.as_str())
    .bind(current.as_str())
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(if is_first { ClientSighting::First } else { ClientSighting::New })
}

pub(super) async fn insert(connection: &mut SqliteConnection, token: &LoginToken) -> Result<(), StoreError> {
    let (name, last_part) = match &token.kind {
        TokenKind::Session { .. } => (None, None),
        TokenKind::Personal { name, last_part, .. } => (Some(name), Some(last_part)),
    };
    sqlx::query(
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
    .bind(&token.last_address)
    .bind(&token.last_user_agent)
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<LoginToken, StoreError> {
    let kind = match optional_time(row, "expires_at")? {
        Some(expires_at) => TokenKind::Session { expires_at },
        None => TokenKind::Personal {
            name: get(row, "name")?,
            last_part: get(row, "last_part")?,
            bypasses_two_factor: get(row, "bypasses")?,
        },
    };
    let trust = match (optional_time(row, "trusted_since")?, optional_time(row, "trusted_until")?) {
        (Some(since), Some(until)) => Some(Trust { since, until, fingerprint: Fingerprint(get(row, "fingerprint")?) }),
        _ => None,
    };
    Ok(LoginToken {
        hashed: HashedToken::from_base64(get::<String>(row, "hashed")?),
        user: get::<String>(row, "user_id")?.into(),
        kind,
        created_at: time(row, "created_at")?,
        trust,
        last_used_at: optional_time(row, "last_used_at")?,
        last_address: get(row, "last_address")?,
        last_user_agent: get(row, "last_user_agent")?,
    })
}
