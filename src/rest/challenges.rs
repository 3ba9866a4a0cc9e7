//! The second factor of logins that a client cannot repeat, such as those by another service. See
//! [`AccountsHandle::log_in`](crate::accounts::AccountsHandle::log_in).

use std::sync::Arc;

use serde_json::{Value, json};

use super::Endpoints;
use super::own_account::{FEW, endpoint};
use super::route::{Field, Route, Verb};
use crate::call::{Context, MethodResult, TwoFactor};
use crate::two_factor::TwoFactorCore;

pub(super) fn register(factors: &Arc<TwoFactorCore>, endpoints: &mut Endpoints) {
    let id = || Field::text("challengeId").about("From the address of the page that asks for the code");
    let send = Route::new("twoFactorChallenges.sendEmailCode")
        .summary("Mails another code for a login that waits for one")
        .limit(FEW.0, FEW.1)
        .takes([id()]);
    let verify = Route::new("twoFactorChallenges.verifyChallenge")
        .summary("Answers a login that waits for a code")
        .limit(FEW.0, FEW.1)
        .takes([id(), Field::text("code")])
        .gives([Field::text("loginToken"), Field::text("userId")]);
    endpoint!(factors, endpoints, Post send, TwoFactor::none(), Context, send_code);
    endpoint!(factors, endpoints, Post verify, TwoFactor::none(), Context, verify_challenge);
}

async fn send_code(factors: &Arc<TwoFactorCore>, context: Context, fields: Value) -> MethodResult<Value> {
    factors.challenges.send_code(text(&fields, "challengeId"), context.connection()).await?;
    Ok(json!({}))
}

async fn verify_challenge(factors: &Arc<TwoFactorCore>, context: Context, fields: Value) -> MethodResult<Value> {
    let (id, shown) = (text(&fields, "challengeId"), text(&fields, "code"));
    let login = factors.challenges.answer(id, shown, context.connection()).await?;
    Ok(json!({ "loginToken": login.token, "userId": login.id }))
}

/// Returns a member that the route has required.
fn text<'fields>(fields: &'fields Value, name: &str) -> &'fields str {
    fields[name].as_str().unwrap_or_default()
}
