//! The roles of users. Their order is in the user's row, and a table says who has a role.

use super::super::columns::unreadable;
use super::super::layer::{Serial, Transaction, query};
use super::{SqlStore, Touches};
use crate::store::{RoleLoss, StoreError};
use crate::user::UserId;

pub(super) fn text(roles: &[String]) -> String {
    serde_json::Value::from(roles).to_string()
}

pub(super) fn parse(text: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(text).map_err(|error| unreadable("roles", error.to_string()))
}

pub(super) async fn set(store: &SqlStore, id: &UserId, roles: Vec<String>) -> Result<bool, StoreError> {
    let owner = id.clone();
    store
        .transaction(Touches::User(id), |transaction| {
            Box::pin(async move {
                let set = query("UPDATE users SET roles = $2 WHERE id = $1").bind(owner.as_str()).bind(text(&roles));
                if set.execute(&mut *transaction).await? == 0 {
                    return Ok(false);
                }
                replace(transaction, &owner, &roles).await?;
                Ok(true)
            })
        })
        .await
}

pub(super) async fn change_unless_last(
    store: &SqlStore,
    id: &UserId,
    change: RoleLoss,
    role: &str,
) -> Result<bool, StoreError> {
    let (owner, role) = (id.clone(), role.to_owned());
    let touches = if change == RoleLoss::Deletion { Touches::Everything } else { Touches::User(id) };
    store
        .transaction(touches, |transaction| {
            Box::pin(async move {
                transaction.take_turn(Serial::Roles).await?;
                if !transaction.lock_user(&owner).await? {
                    return Ok(false);
                }
                let keeps_it = matches!(&change, RoleLoss::Roles { to, .. } if to.contains(&role));
                if !keeps_it && is_last(transaction, &owner, &role).await? {
                    return Ok(false);
                }
                apply(transaction, &owner, &change).await
            })
        })
        .await
}

/// Returns whether a user is the only active one with a role.
async fn is_last(transaction: &mut Transaction, id: &UserId, role: &str) -> Result<bool, StoreError> {
    let own = query("SELECT 1 FROM user_roles JOIN users ON id = user_id WHERE role = $2 AND id = $1 AND is_active");
    if own.bind(id.as_str()).bind(role).fetch_optional(&mut *transaction).await?.is_none() {
        return Ok(false);
    }
    let another =
        query("SELECT 1 FROM user_roles JOIN users ON id = user_id WHERE role = $2 AND id <> $1 AND is_active LIMIT 1");
    Ok(another.bind(id.as_str()).bind(role).fetch_optional(transaction).await?.is_none())
}

async fn apply(transaction: &mut Transaction, id: &UserId, change: &RoleLoss) -> Result<bool, StoreError> {
    let statement = match change {
        RoleLoss::Roles { from, to } => query("UPDATE users SET roles = $3 WHERE id = $1 AND roles = $2")
            .bind(id.as_str())
            .bind(text(from))
            .bind(text(to)),
        RoleLoss::Deactivation => query("UPDATE users SET is_active = FALSE WHERE id = $1").bind(id.as_str()),
        RoleLoss::Deletion => query("DELETE FROM users WHERE id = $1").bind(id.as_str()),
    };
    if statement.execute(&mut *transaction).await? == 0 {
        return Ok(false);
    }
    if let RoleLoss::Roles { to, .. } = change {
        replace(transaction, id, to).await?;
    }
    Ok(true)
}

async fn replace(transaction: &mut Transaction, id: &UserId, roles: &[String]) -> Result<(), StoreError> {
    query("DELETE FROM user_roles WHERE user_id = $1").bind(id.as_str()).execute(&mut *transaction).await?;
    insert(transaction, id, roles).await
}

pub(super) async fn insert(transaction: &mut Transaction, id: &UserId, roles: &[String]) -> Result<(), StoreError> {
    for role in roles {
        let new = query("INSERT INTO user_roles (user_id, role) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        new.bind(id.as_str()).bind(role).execute(&mut *transaction).await?;
    }
    Ok(())
}
