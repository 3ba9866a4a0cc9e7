//! The methods of the conformance server that do not need accounts.

use std::time::Duration;

use bolide::AppBuilder;
use bolide::clock::{Clock as _, MovableClock};
use bolide::prelude::*;
use bolide::protocol::error::ErrorCode;
use serde_json::{Value, json};

/// What this application can do, of the list in `protocol/conformance/README.md`.
const CAPABILITIES: [&str; 19] = [
    "script",
    "connectionInfo",
    "collections",
    "mergeBox",
    "strategies",
    "randomSeeds",
    "userChange",
    "streams",
    "runTime",
    "resumption",
    "accounts",
    "accounts2fa",
    "secondFactor",
    "passkeys",
    "settings",
    "clock",
    "rest",
    "administration",
    "sockjs",
];

pub(crate) fn register(app: AppBuilder, clock: MovableClock) -> AppBuilder {
    let open = TwoFactor::none;
    let gated = TwoFactor::required;
    app.method("capabilities", open(), async |_: Context| Ok(CAPABILITIES))
        .method("echo", open(), async |_: Context, value: Ejson| Ok(value))
        .method("add", open(), async |_: Context, a: f64, b: f64| Ok(a + b))
        .method("nothing", open(), async |_: Context| Ok(()))
        .method("failWith", open(), fail_with)
        .method("failInternally", open(), fail_internally)
        .method("panicNow", open(), panic_now)
        .method("sleep", open(), sleep)
        .method("sleepUnblocked", open(), sleep_unblocked)
        .method("randomIds", open(), random_ids)
        .method("nestedRandomIds", open(), nested_random_ids)
        .method("connectionInfo", open(), connection_info)
        .method("setUserId", open(), set_user_id)
        .method("setUserIdLate", open(), set_user_id_late)
        .method("closeConnection", open(), close_connection)
        .method("whoami", open(), async |me: SignedIn| Ok(me.user().clone()))
        .method("transferFunds", gated(), transfer_funds)
        .method("gated", gated(), gated_method)
        .method("gatedNoRemember", gated().disable_remember_me(), gated_method)
        .method("gatedSecondFactor", gated().require_second_factor(), gated_method)
        .method("gatedNoPassword", gated().disable_password_fallback(), gated_method)
        .method("gatedFresh", gated().max_age(Duration::from_mins(1)), gated_method)
        .method("gatedNested", gated(), calls_gated)
        .method("outerNested", open(), calls_gated_for_anyone)
        .method("advanceClock", open(), async move |_: Context, ms: u64| Ok(advance_clock(&clock, ms)))
}

async fn fail_with(_: Context, error: ErrorCode, reason: Option<String>, details: Option<Value>) -> MethodResult<()> {
    let failure = match reason {
        Some(reason) => bolide::DdpError::new(error, reason),
        None => bolide::DdpError::bare(error),
    };
    let failure = MethodError::from(failure);
    Err(match details {
        Some(details) => failure.with_details(details),
        None => failure,
    })
}

async fn fail_internally(_: Context) -> MethodResult<()> {
    Err(MethodError::internal("a secret that clients must not see"))
}

async fn panic_now(_: Context) -> MethodResult<()> {
    panic!("a panic that clients must not see")
}

async fn sleep(_: Context, ms: u64) -> MethodResult<u64> {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    Ok(ms)
}

async fn sleep_unblocked(context: Context, ms: u64) -> MethodResult<u64> {
    context.unblock();
    sleep(context, ms).await
}

async fn random_ids(context: Context, stream: String, count: usize) -> MethodResult<Vec<String>> {
    Ok((0..count.min(10_000)).map(|_| context.random_id(&stream)).collect())
}

async fn nested_random_ids(context: Context, stream: String, count: usize) -> MethodResult<Vec<String>> {
    context.call("randomIds", &(stream, count)).await
}

async fn connection_info(context: Context) -> MethodResult<Value> {
    let Some(connection) = context.connection() else { return Ok(Value::Null) };
    let headers: serde_json::Map<String, Value> =
        connection.http_headers().into_iter().map(|(name, value)| (name, value.into())).collect();
    Ok(json!({
        "id": connection.id(),
        "clientAddress": connection.client_address(),
        "httpHeaders": headers,
        "userId": context.user_id(),
    }))
}

async fn set_user_id(context: Context, id: Option<UserId>) -> MethodResult<()> {
    context.set_user_id(id).await
}

async fn set_user_id_late(context: Context, id: Option<UserId>) -> MethodResult<()> {
    context.unblock();
    context.set_user_id(id).await
}

async fn close_connection(context: Context) -> MethodResult<()> {
    if let Some(connection) = context.connection() {
        connection.close();
    }
    Ok(())
}

async fn transfer_funds(me: SignedIn, order: Value) -> MethodResult<Value> {
    let amount = order.get("amount").filter(|amount| amount.is_number());
    let to = order.get("to").filter(|to| to.is_string());
    let (Some(amount), Some(to)) = (amount, to) else { return Err(MethodError::new(400, "Match failed")) };
    Ok(json!({ "to": to, "amount": amount, "argc": me.context().argument_count() }))
}

async fn gated_method(_: SignedIn) -> MethodResult<&'static str> {
    Ok("ok")
}

async fn calls_gated(me: SignedIn) -> MethodResult<String> {
    me.context().call("gated", &()).await
}

async fn calls_gated_for_anyone(context: Context) -> MethodResult<String> {
    context.call("gated", &()).await
}

fn advance_clock(clock: &MovableClock, ms: u64) -> i64 {
    clock.advance(Duration::from_millis(ms));
    clock.now().milliseconds()
}
