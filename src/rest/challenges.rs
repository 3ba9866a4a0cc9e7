//! Log-ins that cannot be repeated, such as those by another service: their second factor is shown here. See
//! [`AccountsHandle::log_in`](crate::accounts::AccountsHandle::log_in).

use std::sync::Arc;

use serde_json::{Value, json};

use super::Endpoints;
use super::own_account::{FEW, endpoint};
use super::route::{Field, Route, Verb};
use crate::accounts::AccountsCore;
use crate::call::{Context, MethodResult, TwoFactor};

pub(super) fn register(core: &Arc<AccountsCore>, endpoints: &mut Endpoints) {
    let id = || Field::text("challengeId").about("From the address of the page that asks for the code");
    let send = Route::new("twoFactorChallenges.sendEmailCode")
        .summary("Mails another code for a log-in that waits for one")
        .limit(FEW.0, FEW.1)
        .takes([id()]);
    let verify = Route::new("twoFactorChallenges.verifyChallenge")
        .summary("Shows the code that a log-in waits for")
        .limit(FEW.0, FEW.1)
        .takes([id(), Field::text("code")])
        .gives([Field::text("loginToken"), Field::text("userId")]);
    endpoint!(core, endpoints, Post send, TwoFactor::none(), Context, send_code);
    endpoint!(core, endpoints, Post verify, TwoFactor::none(), Context, verify_challenge);
}

async fn send_code(core: &Arc<AccountsCore>, context: Context, fields: Value) -> MethodResult<Value> {
    core.send_challenge_code(text(&fields, "challengeId"), context.connection()).await?;
    Ok(json!({}))
}

async fn verify_challenge(core: &Arc<AccountsCore>, context: Context, fields: Value) -> MethodResult<Value> {
    let (id, shown) = (text(&fields, "challengeId"), text(&fields, "code"));
    let login = core.answer_challenge(id, shown, context.connection()).await?;
    Ok(json!({ "loginToken": login.token, "userId": login.id }))
}

/// What the route takes is there.
fn text<'fields>(fields: &'fields Value, name: &str) -> &'fields str {
    fields[name].as_str().unwrap_or_default()
}
