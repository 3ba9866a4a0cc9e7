//! Which functions can be handlers. `tests/ui` tests the compiler's errors for others.

use std::sync::mpsc;
use std::time::Duration;

use bolide::call::{Parameters, blocking};
use bolide::prelude::*;
use bolide::{AppBuilder, DdpError, Limits};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::client::Client;
use crate::server::Server;
use crate::waiting::soon;

async fn call(app: AppBuilder, method: &str, parameters: Value) -> Result<Value, DdpError> {
    app.build().expect("the app fits together").call(&Caller::user("alice"), method, &parameters).await
}

fn with(handler: impl bolide::call::MethodHandler<(Context, i64)>) -> AppBuilder {
    App::builder().method("it", TwoFactor::none(), handler)
}

#[tokio::test]
async fn an_async_function_is_a_handler() {
    async fn twice(_: Context, number: i64) -> MethodResult<i64> {
        Ok(2 * number)
    }
    assert_eq!(call(with(twice), "it", json!([21])).await, Ok(json!(42)));
}

#[tokio::test]
async fn a_closure_that_captures_is_a_handler() {
    let factor = Box::new(2);
    let app = with(async move |_: Context, number: i64| Ok(*factor * number));
    assert_eq!(call(app, "it", json!([21])).await, Ok(json!(42)));
}

#[tokio::test]
async fn a_closure_that_returns_a_future_is_a_handler() {
    let app = with(|_: Context, number: i64| async move { Ok(2 * number) });
    assert_eq!(call(app, "it", json!([21])).await, Ok(json!(42)));
}

#[tokio::test]
async fn captured_values_are_shared_by_all_calls() {
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(0));
    let app = with(async move |_: Context, more: i64| Ok(calls.fetch_add(more, std::sync::atomic::Ordering::SeqCst)));
    let app = app.build().expect("the app fits together");
    let before: i64 = app.call(&Caller::anonymous(), "it", &[20]).await.expect("a number");
    let between: i64 = app.call(&Caller::anonymous(), "it", &[22]).await.expect("a number");
    assert_eq!((before, between), (0, 20));
}

#[tokio::test]
async fn a_handler_can_have_zero_to_eight_parameters() {
    async fn none(_: Context) -> MethodResult<i64> {
        Ok(0)
    }
    #[expect(clippy::too_many_arguments, reason = "that is what is tested")]
    async fn eight(
        me: SignedIn,
        pair: (i64, i64),
        text: String,
        nothing: Option<bool>,
        list: Vec<u8>,
        json: Value,
        ejson: Ejson,
        number: f64,
        missing: Option<String>,
    ) -> MethodResult<Value> {
        Ok(json!([me.user(), pair, text, nothing, list, json, ejson, number, missing]))
    }
    let app = App::builder().method("none", TwoFactor::none(), none).method("eight", TwoFactor::none(), eight);
    let parameters = json!([[1, 2], "c", null, [5], {"f": 6}, {"g": 7}, 8.5]);
    let shown = json!(["alice", [1, 2], "c", null, [5], {"f": 6}, {"g": 7}, 8.5, null]);
    assert_eq!(call(app, "eight", parameters).await, Ok(shown));
}

#[tokio::test]
async fn a_handler_can_take_raw_parameters() {
    async fn count(_: Context, parameters: Parameters) -> MethodResult<usize> {
        Ok(parameters.len())
    }
    let app = App::builder().method("it", TwoFactor::none(), count);
    let nine = json!([1, 2, 3, 4, 5, 6, 7, 8, ""]);
    assert_eq!(call(app, "it", nine).await, Ok(json!(9)));
}

#[tokio::test]
async fn a_blocking_function_is_a_handler() {
    fn twice(_: Context, number: i64) -> MethodResult<i64> {
        Ok(number.checked_mul(2).ok_or(std::fmt::Error)?)
    }
    let app = App::builder().method("it", TwoFactor::none(), blocking(twice));
    assert_eq!(call(app, "it", json!([21])).await, Ok(json!(42)));
    let app = App::builder().method("it", TwoFactor::none(), blocking(twice));
    assert_eq!(call(app, "it", json!(["no number"])).await, Err(DdpError::match_failed()));
}

#[tokio::test]
async fn a_blocking_function_that_panics_is_500_and_reveals_nothing() {
    fn panics(_: Context) -> MethodResult<()> {
        panic!("a secret")
    }
    let app = App::builder().method("it", TwoFactor::none(), blocking(panics));
    assert_eq!(call(app, "it", json!([])).await, Err(DdpError::internal()));
}

/// All async code here runs on one thread: if it were blocked, no call would be answered.
#[tokio::test]
async fn a_blocking_function_does_not_block_async_workers() {
    let (tell, told) = oneshot::channel();
    let (permit, permission) = mpsc::channel::<()>();
    let channels = std::sync::Arc::new(parking_lot::Mutex::new(Some((tell, permission))));
    let app = App::builder()
        .method("echo", TwoFactor::none(), async |_: Context, value: Ejson| Ok(value))
        .method(
            "block",
            TwoFactor::none(),
            blocking(move |_: Context| {
                let (tell, permission) = channels.lock().take().ok_or(std::fmt::Error)?;
                tell.send(()).map_err(|()| std::fmt::Error)?;
                permission.recv()?;
                Ok("done")
            }),
        )
        .build()
        .expect("the app fits together");
    let server = Server::start(app).await;
    let mut blocked = Client::connect(server.address).await;
    blocked.call("1", "block", json!([])).await;
    soon(told).await.expect("a method that started");
    let mut other = Client::connect(server.address).await;
    assert_eq!(other.ask("echo", json!(["here"])).await["result"], "here");
    blocked.ping().await;
    permit.send(()).expect("a method that waits");
    assert_eq!(blocked.answer("1").await["result"], "done");
}

#[tokio::test]
async fn a_blocking_function_that_outlives_its_client_does_no_harm() {
    let (permit, permission) = mpsc::channel::<()>();
    let permission = std::sync::Arc::new(parking_lot::Mutex::new(permission));
    let app = App::builder()
        .method("block", TwoFactor::none(), blocking(move |_: Context| Ok(permission.lock().recv()?)))
        .limits(Limits { resume_grace: Duration::ZERO, ..Limits::default() })
        .build()
        .expect("the app fits together");
    let server = Server::start(app).await;
    let mut client = Client::connect(server.address).await;
    client.call("1", "block", json!([])).await;
    client.leave().await;
    crate::waiting::until(|| server.app.session_count() == 0).await;
    permit.send(()).expect("a method that waits");
    server.shut_down().await;
}
