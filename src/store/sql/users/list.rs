//! Pages of users, and which of some are active.

use std::collections::HashSet;

use super::super::columns::user_id;
use super::super::layer::{list_size, placeholders, query};
use super::{SqlStore, rows};
use crate::store::{StoreError, UserFilter, UserPage, fold};
use crate::user::UserId;

/// $1 is a pattern and $2 a role; both may be null.
const MATCHING: &str = "FROM users WHERE (CAST($1 AS TEXT) IS NULL OR username_folded LIKE $1 ESCAPE '\\' \
     OR name_folded LIKE $1 ESCAPE '\\' \
     OR EXISTS (SELECT 1 FROM emails WHERE user_id = users.id AND folded LIKE $1 ESCAPE '\\')) \
     AND (CAST($2 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM user_roles WHERE user_id = users.id AND role = $2))";

pub(super) async fn page(store: &SqlStore, filter: UserFilter) -> Result<UserPage, StoreError> {
    let reader = &store.database.reader;
    let search = filter.search.as_deref().map(pattern);
    let count = query(format!("SELECT count(*) {MATCHING}")).bind(search.as_deref()).bind(filter.role.as_deref());
    let total: i64 = count.fetch_one(reader).await?.get(0)?;
    let page = format!("SELECT id {MATCHING} ORDER BY username_folded NULLS FIRST, id LIMIT $3 OFFSET $4");
    let page = query(page).bind(search).bind(filter.role).bind(filter.limit).bind(filter.offset);
    let ids = page.fetch_all(reader).await?;
    let ids = ids.iter().map(|row| user_id(row, "id")).collect::<Result<Vec<_>, _>>()?;
    Ok(UserPage { users: rows::load(reader, &ids).await?, total: total.try_into().unwrap_or(0) })
}

pub(super) async fn active(store: &SqlStore, ids: &[UserId]) -> Result<Vec<UserId>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let list = placeholders(1, list_size(ids.len()));
    let active = query(format!("SELECT id FROM users WHERE is_active AND id IN ({list})"));
    let rows = active.bind_list(ids.iter().map(UserId::as_str)).fetch_all(&store.database.reader).await?;
    let active = rows.iter().map(|row| user_id(row, "id")).collect::<Result<HashSet<_>, _>>()?;
    for id in ids.iter().filter(|id| !active.contains(*id)) {
        store.caches.users.forget(id);
    }
    Ok(active.into_iter().collect())
}

/// Returns a pattern for `LIKE` that finds `search` anywhere.
fn pattern(search: &str) -> String {
    // No column holds U+0000, which no database takes: the character that replaces it is in no name either.
    let search = search.replace('\0', "\u{fffd}");
    let escaped = fold(&search).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
