//! The endpoints by which admins manage users.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Endpoints;
use super::answer::MISSING_PERMISSION;
use super::own_account::{endpoint, iso};
use super::route::{Field, Route, Verb};
use crate::accounts::{AccountsCore, Selector, protected};
use crate::call::{MethodError, MethodResult, SignedIn, TwoFactor};
use crate::settings::TWO_FACTOR_ENABLED;
use crate::store::{User, UserFilter};
use crate::two_factor::TwoFactorCore;

const VIEW_USERS: &str = "view-full-other-user-info";
const EDIT_OTHER_USER_TOTP: &str = "edit-other-user-totp";

/// The default and the maximum number of users on a page.
const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 500;

pub(super) fn register(core: &Arc<AccountsCore>, factors: &Arc<TwoFactorCore>, endpoints: &mut Endpoints) {
    let list = Route::new("users.list")
        .summary("A page of all users")
        .permission(VIEW_USERS)
        .takes([
            Field::number("count").optional().about("Page size; default 50, maximum 500"),
            Field::number("offset").optional().about("Number of users to skip"),
            Field::text("search").optional().about("Part of a username, name or address"),
        ])
        .gives([Field::list("users"), Field::number("count"), Field::number("offset"), Field::number("total")]);
    let info = Route::new("users.info")
        .summary("One user: oneself, or another with a permission")
        .takes([Field::text("userId").optional(), Field::text("username").optional().about("Instead of userId")])
        .gives([Field::object("user")]);
    let reset = Route::new("users.resetTOTP")
        .summary("Removes the authenticator app of the caller or of another user, and ends all logins of that user")
        .takes([
            Field::text("userId").optional().about("Another user; needs a permission"),
            Field::text("username").optional(),
            Field::text("user").optional().about("A username"),
        ]);
    endpoint!(core, endpoints, Get list, TwoFactor::none(), SignedIn, list_users);
    endpoint!(core, endpoints, Get info, TwoFactor::none(), SignedIn, user_info);
    let services = Arc::new((Arc::clone(core), Arc::clone(factors)));
    endpoint!(&services, endpoints, Post reset, protected::policy("POST users.resetTOTP"), SignedIn, reset_totp);
}

async fn list_users(core: &Arc<AccountsCore>, _: SignedIn, fields: Value) -> MethodResult<Value> {
    let number = |name: &str| fields[name].as_u64().and_then(|number| u32::try_from(number).ok());
    let offset = number("offset").unwrap_or(0);
    // As in Rocket.Chat, 0 means all: here, the maximum.
    let limit = match number("count") {
        None => PAGE,
        Some(0) => LONGEST_PAGE,
        Some(count) => count.min(LONGEST_PAGE),
    };
    let search = fields["search"].as_str().map(str::to_owned);
    let page = core.store.users(UserFilter { search, role: None, offset, limit }).await?;
    let users: Vec<Value> = page.users.iter().map(described).collect();
    Ok(json!({ "count": users.len(), "users": users, "offset": offset, "total": page.total }))
}

async fn user_info(core: &Arc<AccountsCore>, caller: SignedIn, fields: Value) -> MethodResult<Value> {
    let wanted = wanted(&fields, &["userId", "username"]).ok_or_else(|| {
        let reason = "The required \"userId\" or \"username\" param was not provided";
        MethodError::new("error-user-param-not-provided", reason)
    })?;
    let found = core.users.find(&wanted).await?;
    let is_own = found.as_ref().is_some_and(|user| user.id == *caller.user());
    // Only callers with the permission learn whether there is another user of this name.
    if !is_own && !caller.has_permission(VIEW_USERS).await? {
        return Err(MethodError::new("error-unauthorized", MISSING_PERMISSION));
    }
    let user = found.ok_or_else(|| MethodError::new("error-invalid-user", "User not found."))?;
    Ok(json!({ "user": described(&user) }))
}

async fn reset_totp(
    services: &Arc<(Arc<AccountsCore>, Arc<TwoFactorCore>)>,
    caller: SignedIn,
    fields: Value,
) -> MethodResult<Value> {
    let (core, factors) = &**services;
    let wanted = wanted(&fields, &["userId", "username", "user"]);
    let target = match &wanted {
        None => Some(core.users.existing(caller.user()).await?),
        // Checked first, so that only callers with the permission learn whether there is such a user.
        Some(_) if !caller.has_permission(EDIT_OTHER_USER_TOTP).await? => {
            return Err(MethodError::new("error-not-allowed", "Not allowed"));
        }
        Some(_) if !core.settings.get(&TWO_FACTOR_ENABLED) => {
            return Err(MethodError::new("error-two-factor-not-enabled", "Two factor authentication is not enabled"));
        }
        Some(wanted) => core.users.find(wanted).await?,
    };
    let target = target.ok_or_else(|| MethodError::new("error-invalid-user-id", "Invalid user id"))?;
    let proof = caller.prove(None).await?;
    factors.reset.authenticator_app(&target, caller.context().connection(), &proof).await?;
    Ok(json!({}))
}

/// Returns which user is meant, by the first of these members that is there.
fn wanted(fields: &Value, names: &[&str]) -> Option<Selector> {
    let text = |name: &str| fields[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let (name, text) = names.iter().find_map(|name| Some((*name, text(name)?)))?;
    Some(if name == "userId" { Selector::Id(text.into()) } else { Selector::Username(text) })
}

/// Describes a user to admins, without how the user logs in.
fn described(user: &User) -> Value {
    let emails: Vec<Value> =
        user.emails.iter().map(|email| json!({ "address": email.address, "verified": email.is_verified })).collect();
    let mut entry = json!({
        "_id": user.id,
        "emails": emails,
        "roles": user.roles,
        "active": user.is_active,
        "type": "user",
        "createdAt": iso(user.created_at.milliseconds()),
    });
    if let Some(username) = &user.username {
        entry["username"] = username.as_str().into();
    }
    if let Some(name) = user.fields.get("name").and_then(bolide_protocol::Ejson::as_str) {
        entry["name"] = name.into();
    }
    entry
}
