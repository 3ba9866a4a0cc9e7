//! Users, in SQL.

use std::collections::HashSet;
use std::sync::Arc;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::{self, CustomTypes, Object};
use sqlx::sqlite::{SqliteConnection, SqliteExecutor, SqliteRow};
use sqlx::{QueryBuilder, Row as _};

use super::row::{failed, get, optional_time, time, unreadable};
use super::{SqliteStore, Touches, tokens};
use crate::clock::Timestamp;
use crate::store::user::Users;
use crate::store::{
    BackupCodes, EmailAddress, HashedToken, KeyedHash, Lookalikes, Namesakes, NewUser, PendingTotp, RoleLoss, Sealed,
    StoreError, StoreFuture, StoredHash, Totp, Unique, User, UserFilter, UserPage, fold, skeleton,
};
use crate::user::UserId;

impl Users for SqliteStore {
    fn insert_user(&self, new: NewUser) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.transaction(Touches::Everything, |connection| {
                Box::pin(async move {
                    if let (Some(name), Lookalikes::Refused) = (&new.user.username, new.lookalikes) {
                        refuse_lookalike(connection, &new.user.id, name).await?;
                    }
                    if new.namesakes == Namesakes::Refused {
                        refuse_namesakes(connection, &new.user).await?;
                    }
                    insert(connection, &new.user).await?;
                    insert_backup_codes(connection, &new.user.id, &new.backup_codes).await?;
                    for token in &new.tokens {
                        tokens::insert(&mut *connection, token).await?;
                    }
                    Ok(())
                })
            })
            .await
        })
    }

    fn user<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, Option<User>> {
        Box::pin(async move {
            let cache = &self.caches.users;
            if let Some(user) = cache.get(id) {
                return Ok(Some(User::clone(&user)));
            }
            let since = cache.now();
            let row = sqlx::query("SELECT * FROM users WHERE id = $1").bind(id.as_str());
            let found = self.read_user(row.fetch_optional(&self.reader).await.map_err(failed)?).await?;
            if let Some(user) = &found {
                cache.keep(since, id.clone(), Arc::new(user.clone()));
            }
            Ok(found)
        })
    }

    fn user_by_username<'store>(&'store self, username: &'store str) -> StoreFuture<'store, Option<User>> {
        Box::pin(async move {
            let found = sqlx::query(
                "SELECT *, username AS matched FROM users WHERE username_folded = $1 ORDER BY username = $2 DESC LIMIT 2",
            );
            let found = found.bind(fold(username)).bind(username).fetch_all(&self.reader).await.map_err(failed)?;
            self.read_user(exact_or_only(found, username)?).await
        })
    }

    fn user_by_address<'store>(&'store self, address: &'store str) -> StoreFuture<'store, Option<User>> {
        Box::pin(async move {
            let found = sqlx::query(
                "SELECT users.*, emails.address AS matched FROM emails JOIN users ON users.id = emails.user_id \
                 WHERE emails.folded = $1 ORDER BY emails.address = $2 DESC LIMIT 2",
            );
            let found = found.bind(fold(address)).bind(address).fetch_all(&self.reader).await.map_err(failed)?;
            self.read_user(exact_or_only(found, address)?).await
        })
    }

    fn is_username_taken<'store>(&'store self, username: &'store str, id: &'store UserId) -> StoreFuture<'store, bool> {
        Box::pin(async move { is_taken(&self.reader, OTHER_WITH_USERNAME, username, id).await })
    }

    fn is_address_taken<'store>(&'store self, address: &'store str, id: &'store UserId) -> StoreFuture<'store, bool> {
        Box::pin(async move { is_taken(&self.reader, OTHER_WITH_ADDRESS, address, id).await })
    }

    fn users(&self, filter: UserFilter) -> StoreFuture<'_, UserPage> {
        const MATCHING: &str = "FROM users WHERE ($1 IS NULL OR username_folded LIKE $1 ESCAPE '\\' \
             OR lower(json_extract(fields, '$.name')) LIKE $1 ESCAPE '\\' \
             OR EXISTS (SELECT 1 FROM emails WHERE user_id = users.id AND folded LIKE $1 ESCAPE '\\')) \
             AND ($2 IS NULL OR EXISTS (SELECT 1 FROM json_each(roles) WHERE value = $2))";
        Box::pin(async move {
            let search = filter.search.as_deref().map(pattern);
            let count = sqlx::AssertSqlSafe(format!("SELECT count(*) {MATCHING}"));
            let total: i64 = sqlx::query_scalar(count)
                .bind(search.clone())
                .bind(filter.role.clone())
                .fetch_one(&self.reader)
                .await
                .map_err(failed)?;
            let page = format!("SELECT * {MATCHING} ORDER BY username_folded, id LIMIT $3 OFFSET $4");
            let rows = sqlx::query(sqlx::AssertSqlSafe(page))
                .bind(search)
                .bind(filter.role)
                .bind(i64::from(filter.limit))
                .bind(i64::from(filter.offset))
                .fetch_all(&self.reader)
                .await
                .map_err(failed)?;
            let mut users = Vec::with_capacity(rows.len());
            for row in rows {
                users.extend(self.read_user(Some(row)).await?);
            }
            Ok(UserPage { users, total: total.try_into().unwrap_or(0) })
        })
    }

    fn delete_user<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, bool> {
        self.change_of(Touches::Everything, sqlx::query("DELETE FROM users WHERE id = $1").bind(id.as_str()))
    }

    fn set_username<'store>(&'store self, id: &'store UserId, username: &'store str) -> StoreFuture<'store, bool> {
        Box::pin(async move {
            let (owner, name) = (id.clone(), username.to_owned());
            self.transaction(Touches::User(id), |connection| {
                Box::pin(async move {
                    refuse_lookalike(connection, &owner, &name).await?;
                    refuse_taken_username(connection, &owner, &name).await?;
                    let changed = sqlx::query(
                        "UPDATE users SET username = $2, username_folded = $3, username_skeleton = $4 WHERE id = $1",
                    )
                    .bind(owner.as_str())
                    .bind(&name)
                    .bind(fold(&name))
                    .bind(skeleton(&name));
                    Ok(changed.execute(connection).await.map_err(failed)?.rows_affected() > 0)
                })
            })
            .await
        })
    }

    fn remove_username<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, bool> {
        let removed = sqlx::query(
            "UPDATE users SET username = NULL, username_folded = NULL, username_skeleton = NULL \
             WHERE id = $1 AND username IS NOT NULL",
        );
        self.change_of(Touches::User(id), removed.bind(id.as_str()))
    }

    fn set_profile<'store>(&'store self, id: &'store UserId, profile: Option<Object>) -> StoreFuture<'store, bool> {
        let text = profile.as_ref().map(object_text).transpose();
        Box::pin(async move {
            self.change_of(
                Touches::User(id),
                sqlx::query("UPDATE users SET profile = $2 WHERE id = $1").bind(id.as_str()).bind(text?),
            )
            .await
        })
    }

    fn replace_profile<'store>(
        &'store self,
        id: &'store UserId,
        from: Option<&'store Object>,
        to: &'store Object,
    ) -> StoreFuture<'store, bool> {
        let texts = from.map(object_text).transpose().and_then(|from| Ok((from, object_text(to)?)));
        Box::pin(async move {
            let (from, to) = texts?;
            let replaced = sqlx::query("UPDATE users SET profile = $3 WHERE id = $1 AND profile IS $2");
            self.change_of(Touches::User(id), replaced.bind(id.as_str()).bind(from).bind(to)).await
        })
    }

    fn set_fields<'store>(&'store self, id: &'store UserId, fields: Object) -> StoreFuture<'store, bool> {
        let text = object_text(&fields);
        Box::pin(async move {
            self.change_of(
                Touches::User(id),
                sqlx::query("UPDATE users SET fields = $2 WHERE id = $1").bind(id.as_str()).bind(text?),
            )
            .await
        })
    }

    fn set_roles<'store>(&'store self, id: &'store UserId, roles: Vec<String>) -> StoreFuture<'store, bool> {
        let text = serde_json::Value::from(roles).to_string();
        self.change_of(
            Touches::User(id),
            sqlx::query("UPDATE users SET roles = $2 WHERE id = $1").bind(id.as_str()).bind(text),
        )
    }

    fn set_field<'store>(
        &'store self,
        id: &'store UserId,
        name: &'store str,
        value: Option<Ejson>,
    ) -> StoreFuture<'store, bool> {
        Box::pin(async move {
            let (owner, name) = (id.clone(), name.to_owned());
            self.transaction(Touches::User(id), |connection| {
                Box::pin(async move {
                    let stored = sqlx::query_scalar::<_, String>("SELECT fields FROM users WHERE id = $1");
                    let stored = stored.bind(owner.as_str()).fetch_optional(&mut *connection).await.map_err(failed)?;
                    let Some(mut fields) = stored.as_deref().map(text_object).transpose()? else { return Ok(false) };
                    match value {
                        Some(value) => drop(fields.insert(name, value)),
                        None => drop(fields.shift_remove(&name)),
                    }
                    let changed = sqlx::query("UPDATE users SET fields = $2 WHERE id = $1");
                    let changed = changed.bind(owner.as_str()).bind(object_text(&fields)?);
                    changed.execute(connection).await.map_err(failed)?;
                    Ok(true)
                })
            })
            .await
        })
    }

    fn change_unless_last<'store>(
        &'store self,
        id: &'store UserId,
        change: RoleLoss,
        role: &'store str,
    ) -> StoreFuture<'store, bool> {
        // $1 is the user, $2 the role.
        const ANOTHER_HAS_IT: &str = "(NOT (is_active AND EXISTS (SELECT 1 FROM json_each(users.roles) WHERE value = $2)) \
             OR EXISTS (SELECT 1 FROM users AS other, json_each(other.roles) AS held \
             WHERE other.id <> users.id AND other.is_active AND held.value = $2))";
        let text = |roles: &[String]| serde_json::Value::from(roles).to_string();
        let (touches, statement, roles) = match &change {
            RoleLoss::Roles { from, to } if to.iter().any(|own| own == role) => (
                Touches::User(id),
                "UPDATE users SET roles = $4 WHERE id = $1 AND $2 = $2 AND roles = $3".to_owned(),
                Some((text(from), text(to))),
            ),
            RoleLoss::Roles { from, to } => (
                Touches::User(id),
                format!("UPDATE users SET roles = $4 WHERE id = $1 AND roles = $3 AND {ANOTHER_HAS_IT}"),
                Some((text(from), text(to))),
            ),
            RoleLoss::Deactivation => {
                (Touches::User(id), format!("UPDATE users SET is_active = 0 WHERE id = $1 AND {ANOTHER_HAS_IT}"), None)
            }
            RoleLoss::Deletion => {
                (Touches::Everything, format!("DELETE FROM users WHERE id = $1 AND {ANOTHER_HAS_IT}"), None)
            }
        };
        let query = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id.as_str()).bind(role);
        let query = match roles {
            Some((from, to)) => query.bind(from).bind(to),
            None => query,
        };
        self.change_of(touches, query)
    }

    fn set_active<'store>(&'store self, id: &'store UserId, is_active: bool) -> StoreFuture<'store, bool> {
        self.change_of(
            Touches::User(id),
            sqlx::query("UPDATE users SET is_active = $2 WHERE id = $1").bind(id.as_str()).bind(is_active),
        )
    }

    fn set_password<'store>(&'store self, id: &'store UserId, hash: StoredHash) -> StoreFuture<'store, bool> {
        self.change_of(
            Touches::User(id),
            sqlx::query("UPDATE users SET password = $2, must_change_password = 0, totp_pending = NULL WHERE id = $1")
                .bind(id.as_str())
                .bind(hash.as_str().to_owned()),
        )
    }

    fn replace_password<'store>(
        &'store self,
        id: &'store UserId,
        from: &'store StoredHash,
        to: StoredHash,
    ) -> StoreFuture<'store, bool> {
        self.change_of(
            Touches::User(id),
            sqlx::query("UPDATE users SET password = $3 WHERE id = $1 AND password = $2")
                .bind(id.as_str())
                .bind(from.as_str())
                .bind(to.as_str().to_owned()),
        )
    }

    fn active_users<'store>(&'store self, ids: &'store [UserId]) -> StoreFuture<'store, Vec<UserId>> {
        Box::pin(async move {
            let mut active = QueryBuilder::new("SELECT id FROM users WHERE is_active AND id IN (");
            let mut list = active.separated(", ");
            for id in ids {
                list.push_bind(id.as_str());
            }
            active.push(")");
            let rows = active.build_query_scalar::<String>().fetch_all(&self.reader).await.map_err(failed)?;
            let active: HashSet<_> = rows.into_iter().map(UserId::from).collect();
            for id in ids.iter().filter(|id| !active.contains(*id)) {
                self.caches.users.forget(id);
            }
            Ok(active.into_iter().collect())
        })
    }

    fn add_email<'store>(&'store self, id: &'store UserId, email: EmailAddress) -> StoreFuture<'store, bool> {
        Box::pin(async move {
            let owner = id.clone();
            self.transaction(Touches::User(id), |connection| {
                Box::pin(async move {
                    let known = sqlx::query("SELECT 1 FROM users WHERE id = $1").bind(owner.as_str());
                    if known.fetch_optional(&mut *connection).await.map_err(failed)?.is_none() {
                        return Ok(false);
                    }
                    refuse_taken_address(connection, &owner, &email.address).await?;
                    let written = sqlx::query(
                        "INSERT INTO emails (folded, user_id, address, is_verified, place) \
                         VALUES ($1, $2, $3, $4, (SELECT coalesce(max(place), -1) + 1 FROM emails WHERE user_id = $2)) \
                         ON CONFLICT (user_id, folded) DO UPDATE SET address = excluded.address, \
                         is_verified = max(is_verified, excluded.is_verified)",
                    )
                    .bind(fold(&email.address))
                    .bind(owner.as_str())
                    .bind(&email.address)
                    .bind(email.is_verified);
                    written.execute(&mut *connection).await.map_err(failed)?;
                    remove_pending_totp(connection, &owner).await?;
                    Ok(true)
                })
            })
            .await
        })
    }

    fn replace_email<'store>(
        &'store self,
        id: &'store UserId,
        from: Option<&'store str>,
        to: EmailAddress,
    ) -> StoreFuture<'store, bool> {
        Box::pin(async move {
            let (owner, from) = (id.clone(), from.map(fold));
            self.transaction(Touches::User(id), |connection| {
                Box::pin(async move {
                    let first = sqlx::query(
                        "SELECT folded, place FROM users LEFT JOIN emails ON user_id = users.id WHERE users.id = $1 \
                         ORDER BY place LIMIT 1",
                    );
                    let first = first.bind(owner.as_str()).fetch_optional(&mut *connection).await.map_err(failed)?;
                    let Some(first) = first else { return Ok(false) };
                    if get::<Option<String>>(&first, "folded")? != from {
                        return Ok(false);
                    }
                    put_first(connection, &owner, get::<Option<i64>>(&first, "place")?.unwrap_or(0), &to).await?;
                    if let Some(from) = from.filter(|from| *from != fold(&to.address)) {
                        let old = sqlx::query("DELETE FROM emails WHERE user_id = $1 AND folded = $2");
                        old.bind(owner.as_str()).bind(from).execute(&mut *connection).await.map_err(failed)?;
                    }
                    remove_pending_totp(connection, &owner).await?;
                    Ok(true)
                })
            })
            .await
        })
    }

    fn remove_email<'store>(&'store self, id: &'store UserId, address: &'store str) -> StoreFuture<'store, bool> {
        self.change_address(id, address, "DELETE FROM emails WHERE user_id = $1 AND folded = $2")
    }

    fn verify_email<'store>(&'store self, id: &'store UserId, address: &'store str) -> StoreFuture<'store, bool> {
        self.change_address(id, address, "UPDATE emails SET is_verified = 1 WHERE user_id = $1 AND folded = $2")
    }

    fn set_email_codes<'store>(&'store self, id: &'store UserId, are_on: bool) -> StoreFuture<'store, bool> {
        self.change_of(
            Touches::User(id),
            sqlx::query(
                "UPDATE users SET has_email_codes = $2, totp_pending = NULL WHERE id = $1 AND has_email_codes <> $2",
            )
            .bind(id.as_str())
            .bind(are_on),
        )
    }

    fn begin_totp<'store>(&'store self, id: &'store UserId, pending: PendingTotp) -> StoreFuture<'store, bool> {
        self.change_of(
            Touches::User(id),
            sqlx::query(
                "UPDATE users SET totp_pending = $2, totp_pending_token = $3, totp_pending_since = $4 \
                 WHERE id = $1 AND totp_secret IS NULL",
            )
            .bind(id.as_str())
            .bind(pending.secret.as_bytes().to_vec())
            .bind(pending.token.map(|token| token.as_str().to_owned()))
            .bind(pending.since.milliseconds()),
        )
    }

    fn confirm_totp<'store>(
        &'store self,
        id: &'store UserId,
        pending: &'store PendingTotp,
        step: i64,
        BackupCodes(codes): BackupCodes,
    ) -> StoreFuture<'store, bool> {
        Box::pin(async move {
            let (owner, pending) = (id.clone(), pending.clone());
            self.transaction(Touches::User(id), |connection| {
                Box::pin(async move {
                    let confirmed = sqlx::query(
                        "UPDATE users SET totp_secret = totp_pending, totp_pending = NULL, totp_step = $3 \
                         WHERE id = $1 AND totp_pending = $2 AND totp_pending_token IS $4 AND totp_pending_since = $5 \
                         AND totp_secret IS NULL",
                    )
                    .bind(owner.as_str())
                    .bind(pending.secret.as_bytes())
                    .bind(step)
                    .bind(pending.token.as_ref().map(HashedToken::as_str))
                    .bind(pending.since.milliseconds())
                    .execute(&mut *connection)
                    .await
                    .map_err(failed)?;
                    if confirmed.rows_affected() == 0 {
                        return Ok(false);
                    }
                    replace_backup_codes(connection, &owner, &codes).await?;
                    Ok(true)
                })
            })
            .await
        })
    }

    fn take_totp_step<'store>(&'store self, id: &'store UserId, step: i64) -> StoreFuture<'store, bool> {
        self.change_of(
            Touches::User(id),
            sqlx::query("UPDATE users SET totp_step = $2 WHERE id = $1 AND totp_step < $2 AND totp_secret IS NOT NULL")
                .bind(id.as_str())
                .bind(step),
        )
    }

    fn remove_totp<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, bool> {
        Box::pin(async move {
            let owner = id.clone();
            self.transaction(Touches::User(id), |connection| {
                Box::pin(async move {
                    replace_backup_codes(connection, &owner, &[]).await?;
                    let removed = sqlx::query(
                        "UPDATE users SET totp_secret = NULL, totp_pending = NULL, totp_step = -1 \
                         WHERE id = $1 AND (totp_secret IS NOT NULL OR totp_pending IS NOT NULL)",
                    )
                    .bind(owner.as_str());
                    let removed = removed.execute(&mut *connection).await.map_err(failed)?;
                    Ok(removed.rows_affected() > 0)
                })
            })
            .await
        })
    }

    fn reseal_totp<'store>(
        &'store self,
        id: &'store UserId,
        from: &'store Sealed,
        to: Sealed,
    ) -> StoreFuture<'store, bool> {
        self.change_of(
            Touches::User(id),
            sqlx::query(
                "UPDATE users SET totp_secret = CASE WHEN totp_secret = $2 THEN $3 ELSE totp_secret END, \
                 totp_pending = CASE WHEN totp_pending = $2 THEN $3 ELSE totp_pending END \
                 WHERE id = $1 AND (totp_secret = $2 OR totp_pending = $2)",
            )
            .bind(id.as_str())
            .bind(from.as_bytes())
            .bind(to.as_bytes().to_vec()),
        )
    }

    fn totp_secrets(&self) -> StoreFuture<'_, Vec<(UserId, Sealed)>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT id, totp_secret AS secret FROM users WHERE totp_secret IS NOT NULL \
                 UNION ALL SELECT id, totp_pending FROM users WHERE totp_pending IS NOT NULL",
            );
            let rows = rows.fetch_all(&self.reader).await.map_err(failed)?;
            rows.iter()
                .map(|row| Ok((get::<String>(row, "id")?.into(), Sealed::new(get::<Vec<u8>>(row, "secret")?))))
                .collect()
        })
    }

    fn replace_backup_codes<'store>(
        &'store self,
        id: &'store UserId,
        BackupCodes(codes): BackupCodes,
    ) -> StoreFuture<'store, bool> {
        Box::pin(async move {
            let owner = id.clone();
            self.transaction(Touches::User(id), |connection| {
                Box::pin(async move {
                    let on = sqlx::query("SELECT 1 FROM users WHERE id = $1 AND totp_secret IS NOT NULL");
                    if on.bind(owner.as_str()).fetch_optional(&mut *connection).await.map_err(failed)?.is_none() {
                        return Ok(false);
                    }
                    replace_backup_codes(connection, &owner, &codes).await?;
                    Ok(true)
                })
            })
            .await
        })
    }

    fn take_backup_code<'store>(
        &'store self,
        id: &'store UserId,
        hashes: &'store [KeyedHash],
    ) -> StoreFuture<'store, bool> {
        Box::pin(async move {
            for hash in hashes {
                let taken = sqlx::query("DELETE FROM backup_codes WHERE user_id = $1 AND hash = $2");
                if self.change(taken.bind(id.as_str()).bind(hash.as_str())).await? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    fn backup_codes_left<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, u32> {
        Box::pin(async move {
            let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM backup_codes WHERE user_id = $1");
            let count = count.bind(id.as_str()).fetch_one(&self.reader).await.map_err(failed)?;
            Ok(count.try_into().unwrap_or(0))
        })
    }
}

impl SqliteStore {
    /// Runs a statement about an address of a user. If it changes anything, the pending secret of an app is removed.
    fn change_address<'store>(
        &'store self,
        id: &'store UserId,
        address: &'store str,
        statement: &'static str,
    ) -> StoreFuture<'store, bool> {
        Box::pin(async move {
            let (owner, folded) = (id.clone(), fold(address));
            self.transaction(Touches::User(id), |connection| {
                Box::pin(async move {
                    let changed = sqlx::query(statement).bind(owner.as_str()).bind(folded);
                    if changed.execute(&mut *connection).await.map_err(failed)?.rows_affected() == 0 {
                        return Ok(false);
                    }
                    remove_pending_totp(connection, &owner).await?;
                    Ok(true)
                })
            })
            .await
        })
    }

    async fn read_user(&self, row: Option<SqliteRow>) -> Result<Option<User>, StoreError> {
        let Some(row) = row else { return Ok(None) };
        let id: String = get(&row, "id")?;
        let emails = sqlx::query("SELECT address, is_verified FROM emails WHERE user_id = $1 ORDER BY place").bind(&id);
        let emails = emails.fetch_all(&self.reader).await.map_err(failed)?;
        let emails = emails
            .iter()
            .map(|row| Ok(EmailAddress { address: get(row, "address")?, is_verified: get(row, "is_verified")? }))
            .collect::<Result<_, StoreError>>()?;
        let profile: Option<String> = get(&row, "profile")?;
        Ok(Some(User {
            id: id.into(),
            username: get(&row, "username")?,
            emails,
            profile: profile.as_deref().map(text_object).transpose()?,
            roles: serde_json::from_str(row.try_get("roles").map_err(failed)?)
                .map_err(|error| unreadable("roles", error.to_string()))?,
            fields: text_object(row.try_get("fields").map_err(failed)?)?,
            created_at: time(&row, "created_at")?,
            is_active: get(&row, "is_active")?,
            password: get::<Option<String>>(&row, "password")?.map(StoredHash::new),
            must_change_password: get(&row, "must_change_password")?,
            totp: totp(&row)?,
            has_email_codes: get(&row, "has_email_codes")?,
        }))
    }
}

fn totp(row: &SqliteRow) -> Result<Totp, StoreError> {
    if let Some(secret) = get::<Option<Vec<u8>>>(row, "totp_secret")? {
        return Ok(Totp::On(Sealed::new(secret)));
    }
    let Some(pending) = get::<Option<Vec<u8>>>(row, "totp_pending")? else { return Ok(Totp::Off) };
    let token = get::<Option<String>>(row, "totp_pending_token")?.map(HashedToken::from_base64);
    let since = optional_time(row, "totp_pending_since")?.unwrap_or(Timestamp::from_milliseconds(0));
    Ok(Totp::Pending(PendingTotp { secret: Sealed::new(pending), token, since }))
}

/// Puts an address of a user at a place, or moves it there.
async fn put_first(
    connection: &mut SqliteConnection,
    id: &UserId,
    place: i64,
    email: &EmailAddress,
) -> Result<(), StoreError> {
    refuse_taken_address(connection, id, &email.address).await?;
    let written = sqlx::query(
        "INSERT INTO emails (folded, user_id, address, is_verified, place) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (user_id, folded) DO UPDATE SET address = excluded.address, place = excluded.place, \
         is_verified = max(is_verified, excluded.is_verified)",
    )
    .bind(fold(&email.address))
    .bind(id.as_str())
    .bind(&email.address)
    .bind(email.is_verified)
    .bind(place);
    written.execute(connection).await.map_err(failed)?;
    Ok(())
}

/// Finds a user other than $2 who has the folded name $1.
const OTHER_WITH_USERNAME: &str = "SELECT 1 FROM users WHERE username_folded = $1 AND id <> $2 LIMIT 1";

/// Finds a user other than $2 who has the folded address $1.
const OTHER_WITH_ADDRESS: &str = "SELECT 1 FROM emails WHERE folded = $1 AND user_id <> $2 LIMIT 1";

async fn is_taken<'connection>(
    on: impl SqliteExecutor<'connection>,
    other: &'static str,
    text: &str,
    id: &UserId,
) -> Result<bool, StoreError> {
    let other = sqlx::query(other).bind(fold(text)).bind(id.as_str());
    Ok(other.fetch_optional(on).await.map_err(failed)?.is_some())
}

/// Returns the row that matches exactly, which is the first one if there is one, or else the only row.
fn exact_or_only(rows: Vec<SqliteRow>, text: &str) -> Result<Option<SqliteRow>, StoreError> {
    let are_several = rows.len() > 1;
    let Some(first) = rows.into_iter().next() else { return Ok(None) };
    let is_exact = get::<Option<String>>(&first, "matched")?.as_deref() == Some(text);
    Ok(Some(first).filter(|_| is_exact || !are_several))
}

/// Refuses a new user whose name or an address differs from another user's in case only.
async fn refuse_namesakes(connection: &mut SqliteConnection, user: &User) -> Result<(), StoreError> {
    // An id that is taken is reported as such.
    let no_one = UserId::from("");
    if let Some(name) = &user.username
        && is_taken(&mut *connection, OTHER_WITH_USERNAME, name, &no_one).await?
    {
        return Err(StoreError::Taken(Unique::Username));
    }
    for email in &user.emails {
        if is_taken(&mut *connection, OTHER_WITH_ADDRESS, &email.address, &no_one).await? {
            return Err(StoreError::Taken(Unique::Address));
        }
    }
    Ok(())
}

/// Refuses a username that another user has, in any case. The name that the user has already may stay.
async fn refuse_taken_username(connection: &mut SqliteConnection, id: &UserId, name: &str) -> Result<(), StoreError> {
    const OWN: &str = "SELECT 1 FROM users WHERE id = $1 AND username = $2";
    if is_taken(&mut *connection, OTHER_WITH_USERNAME, name, id).await? && !is_own(connection, OWN, id, name).await? {
        return Err(StoreError::Taken(Unique::Username));
    }
    Ok(())
}

/// Refuses an address that another user has, in any case. The address that the user has already may stay.
async fn refuse_taken_address(connection: &mut SqliteConnection, id: &UserId, address: &str) -> Result<(), StoreError> {
    const OWN: &str = "SELECT 1 FROM emails WHERE user_id = $1 AND address = $2";
    if is_taken(&mut *connection, OTHER_WITH_ADDRESS, address, id).await?
        && !is_own(connection, OWN, id, address).await?
    {
        return Err(StoreError::Taken(Unique::Address));
    }
    Ok(())
}

async fn is_own(
    connection: &mut SqliteConnection,
    own: &'static str,
    id: &UserId,
    text: &str,
) -> Result<bool, StoreError> {
    let own = sqlx::query(own).bind(id.as_str()).bind(text);
    Ok(own.fetch_optional(connection).await.map_err(failed)?.is_some())
}

/// Refuses a username that looks like that of another user, if one of the two has characters other than ASCII.
async fn refuse_lookalike(connection: &mut SqliteConnection, id: &UserId, name: &str) -> Result<(), StoreError> {
    let other = sqlx::query(
        "SELECT 1 FROM users WHERE username_skeleton = $1 AND id <> $2 AND ($3 OR username GLOB '*[^ -~]*') LIMIT 1",
    )
    .bind(skeleton(name))
    .bind(id.as_str())
    .bind(!name.is_ascii());
    match other.fetch_optional(connection).await.map_err(failed)? {
        Some(_) => Err(StoreError::Taken(Unique::Username)),
        None => Ok(()),
    }
}

/// Fills in what usernames look like, for users that were stored without it.
pub(super) async fn fill_in_skeletons(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let rows =
        sqlx::query("SELECT id, username FROM users WHERE username IS NOT NULL").fetch_all(&mut *connection).await?;
    for row in rows {
        let (id, name): (String, String) = (row.try_get("id")?, row.try_get("username")?);
        let filled =
            sqlx::query("UPDATE users SET username_skeleton = $2 WHERE id = $1").bind(id).bind(skeleton(&name));
        filled.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn insert(connection: &mut SqliteConnection, user: &User) -> Result<(), StoreError> {
    let (secret, pending) = match &user.totp {
        Totp::Off => (None, None),
        Totp::Pending(pending) => (None, Some(pending)),
        Totp::On(secret) => (Some(secret.as_bytes()), None),
    };
    sqlx::query(
        "INSERT INTO users (id, username, username_folded, profile, roles, fields, created_at, is_active, password, \
         must_change_password, totp_pending, totp_secret, has_email_codes, totp_pending_token, totp_pending_since, \
         username_skeleton) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(user.id.as_str())
    .bind(&user.username)
    .bind(user.username.as_deref().map(fold))
    .bind(user.profile.as_ref().map(object_text).transpose()?)
    .bind(serde_json::Value::from(user.roles.clone()).to_string())
    .bind(object_text(&user.fields)?)
    .bind(user.created_at.milliseconds())
    .bind(user.is_active)
    .bind(user.password.as_ref().map(StoredHash::as_str))
    .bind(user.must_change_password)
    .bind(pending.map(|pending| pending.secret.as_bytes()))
    .bind(secret)
    .bind(user.has_email_codes)
    .bind(pending.and_then(|pending| pending.token.as_ref()).map(HashedToken::as_str))
    .bind(pending.map(|pending| pending.since.milliseconds()))
    .bind(user.username.as_deref().map(skeleton))
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    for (place, email) in (0_i64..).zip(&user.emails) {
        sqlx::query("INSERT INTO emails (folded, user_id, address, is_verified, place) VALUES ($1, $2, $3, $4, $5)")
            .bind(fold(&email.address))
            .bind(user.id.as_str())
            .bind(&email.address)
            .bind(email.is_verified)
            .bind(place)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

async fn remove_pending_totp(connection: &mut SqliteConnection, id: &UserId) -> Result<(), StoreError> {
    let removed = sqlx::query("UPDATE users SET totp_pending = NULL WHERE id = $1").bind(id.as_str());
    removed.execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn replace_backup_codes(
    connection: &mut SqliteConnection,
    id: &UserId,
    codes: &[KeyedHash],
) -> Result<(), StoreError> {
    let old = sqlx::query("DELETE FROM backup_codes WHERE user_id = $1").bind(id.as_str());
    old.execute(&mut *connection).await.map_err(failed)?;
    insert_backup_codes(connection, id, codes).await
}

async fn insert_backup_codes(
    connection: &mut SqliteConnection,
    id: &UserId,
    codes: &[KeyedHash],
) -> Result<(), StoreError> {
    for code in codes {
        let new = sqlx::query("INSERT INTO backup_codes (user_id, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        new.bind(id.as_str()).bind(code.as_str()).execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(())
}

fn object_text(object: &Object) -> Result<String, StoreError> {
    let raw = ejson::to_raw(object).map_err(|error| StoreError::Failed(Box::new(error)))?;
    Ok(raw.get().to_owned())
}

fn text_object(text: &str) -> Result<Object, StoreError> {
    ejson::from_str(text, &CustomTypes::default()).map_err(|error| unreadable("a user's fields", error.to_string()))
}

/// Returns a pattern for `LIKE` that finds `search` anywhere.
fn pattern(search: &str) -> String {
    let escaped = fold(search).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
