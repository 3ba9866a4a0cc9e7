//! Calls: results and errors without a transport, nested calls, and calls whose client leaves.

use std::time::Duration;

use bolide::call::{Admission, Gate, GateFuture, GatedCall};
use bolide::prelude::*;
use bolide::protocol::ejson::Custom;
use bolide::testing::TestClient;
use bolide::{DdpError, Limits};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, call as call_message};
use crate::long_method::LongMethod;
use crate::server::Server;
use crate::waiting::until;

const NOBODY: Caller = Caller::anonymous();

fn app() -> App {
    App::builder()
        .method("add", TwoFactor::none(), async |_: Context, a: f64, b: f64| Ok(a + b))
        .method("nothing", TwoFactor::none(), async |_: Context| Ok(()))
        .method("order", TwoFactor::none(), async |_: Context, order: Order| Ok(order.amount))
        .method("whoami", TwoFactor::none(), async |me: SignedIn| Ok(me.user().clone()))
        .method("refuse", TwoFactor::none(), refuse)
        .method("lookUp", TwoFactor::none(), look_up)
        .method("panic", TwoFactor::none(), panic_soon)
        .method("panicLate", TwoFactor::none(), panic_late)
        .method("double", TwoFactor::none(), async |context: Context, number: f64| {
            context.call::<f64>("add", &(number, number)).await
        })
        .method("relay", TwoFactor::none(), async |context: Context, method: String| {
            context.call::<Value>(&method, &()).await
        })
        .build()
        .expect("the app fits together")
}

#[derive(Deserialize)]
struct Order {
    amount: u32,
}

async fn refuse(_: Context) -> MethodResult<()> {
    Err(MethodError::new("no-way", "Not like this").with_details(json!({ "wait": 3 })))
}

async fn look_up(_: Context) -> MethodResult<String> {
    Ok(std::fs::read_to_string("/a/secret/path")?)
}

async fn panic_soon(_: Context) -> MethodResult<()> {
    panic!("a secret")
}

async fn panic_late(_: Context) -> MethodResult<()> {
    tokio::task::yield_now().await;
    panic!("a secret")
}

async fn call(method: &str, parameters: impl serde::Serialize) -> Result<Value, DdpError> {
    app().call(&NOBODY, method, &parameters).await
}

#[tokio::test]
async fn a_result_is_returned_as_a_type() {
    let sum: f64 = app().call(&NOBODY, "add", &(1, 2.5)).await.expect("a sum");
    assert!((sum - 3.5).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_result_of_another_type_is_match_failed() {
    let sum = app().call::<String>(&NOBODY, "add", &(1, 2)).await;
    assert_eq!(sum, Err(DdpError::match_failed()));
}

#[tokio::test]
async fn a_missing_result_reads_as_null() {
    assert_eq!(call("nothing", ()).await, Ok(Value::Null));
}

#[tokio::test]
async fn parameters_may_be_a_tuple_or_a_list() {
    assert_eq!(call("add", (1, 2)).await, Ok(json!(3)));
    assert_eq!(call("add", [1, 2]).await, Ok(json!(3)));
    assert_eq!(call("add", vec![1, 2]).await, Ok(json!(3)));
}

#[tokio::test]
async fn parameters_that_are_not_a_list_are_match_failed() {
    assert_eq!(call("add", json!({"a": 1})).await, Err(DdpError::match_failed()));
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_404() {
    assert_eq!(call("fly", ()).await, Err(DdpError::new(404, "Method 'fly' not found")));
}

#[tokio::test]
async fn a_parameter_of_the_wrong_type_is_match_failed() {
    for parameters in [json!([]), json!([1]), json!(["1", 2]), json!([1, 2, 3]), json!([1, 2, false])] {
        assert_eq!(call("add", parameters).await, Err(DdpError::match_failed()));
    }
    for order in [json!({}), json!({"amount": -1}), json!({"amount": "1"}), json!(null), json!([])] {
        assert_eq!(call("order", [order]).await, Err(DdpError::match_failed()));
    }
}

#[tokio::test]
async fn an_error_for_the_client_is_returned_unchanged() {
    let error = call("refuse", ()).await.expect_err("a refusal");
    assert_eq!(error.message(), "Not like this [no-way]");
    assert_eq!(error.details.expect("details").get(), r#"{"wait":3}"#);
}

#[tokio::test]
async fn an_internal_error_is_500_and_reveals_nothing() {
    assert_eq!(call("lookUp", ()).await, Err(DdpError::internal()));
}

#[tokio::test]
async fn a_panic_is_500_and_reveals_nothing() {
    assert_eq!(call("panic", ()).await, Err(DdpError::internal()));
    assert_eq!(call("panicLate", ()).await, Err(DdpError::internal()));
}

#[tokio::test]
async fn a_method_for_users_fails_without_a_login_and_gets_the_user() {
    let error = call("whoami", ()).await.expect_err("a refusal");
    assert_eq!(error.message(), "Invalid user [error-invalid-user]");
    assert_eq!(error.details.expect("details").get(), r#"{"method":"whoami"}"#);
    let user: String = app().call(&Caller::user("alice"), "whoami", &()).await.expect("a user");
    assert_eq!(user, "alice");
}

#[tokio::test]
async fn a_nested_call_returns_its_result_to_the_outer_one() {
    assert_eq!(call("double", [21]).await, Ok(json!(42)));
}

#[tokio::test]
async fn a_nested_call_has_the_user_of_the_outer_one() {
    let user: String = app().call(&Caller::user("alice"), "relay", &["whoami"]).await.expect("a user");
    assert_eq!(user, "alice");
}

#[tokio::test]
async fn a_nested_call_returns_its_error_to_the_outer_one() {
    assert_eq!(call("relay", ["fly"]).await, Err(DdpError::method_not_found("fly")));
    assert_eq!(call("relay", ["add"]).await, Err(DdpError::match_failed()));
    assert_eq!(call("relay", ["panic"]).await, Err(DdpError::internal()));
}

/// A server with the method `long`, whose sessions end with their socket.
async fn serve_long_method() -> (Server, LongMethod) {
    let app = App::builder()
        .method("echo", TwoFactor::none(), async |_: Context, value: Ejson| Ok(value))
        .limits(Limits { resume_grace: Duration::ZERO, ..Limits::default() });
    let (app, long) = LongMethod::register(app);
    (Server::start(app.build().expect("the app fits together")).await, long)
}

#[tokio::test]
async fn a_method_runs_to_its_end_when_its_client_leaves() {
    for unblocks in [false, true] {
        let (server, mut long) = serve_long_method().await;
        let mut client = Client::connect(server.address).await;
        client.call("1", "long", json!([unblocks])).await;
        long.has_started().await;
        drop(client);
        until(|| server.app.session_count() == 0).await;
        long.let_end();
        long.has_ended().await;
    }
}

#[tokio::test]
async fn a_method_runs_to_its_end_when_its_client_leaves_without_reading() {
    let (server, mut long) = serve_long_method().await;
    let mut client = Client::connect(server.address).await;
    client.call("1", "long", json!([true])).await;
    long.has_started().await;
    let echo = Message::text(call_message("2", "echo", json!(["x".repeat(300_000)])).to_string());
    client.send_until_blocked(&echo, usize::MAX).await;
    drop(client);
    until(|| server.app.session_count() == 0).await;
    long.let_end();
    long.has_ended().await;
}

#[tokio::test]
async fn a_waiting_method_does_not_block_other_connections() {
    let (server, mut long) = serve_long_method().await;
    let mut client = Client::connect(server.address).await;
    client.call("1", "long", json!([])).await;
    long.has_started().await;
    let mut other = Client::connect(server.address).await;
    assert_eq!(other.ask("echo", json!(["here"])).await["result"], "here");
    long.let_end();
    assert_eq!(client.answer("1").await["result"], "done");
}

/// Admits every call, and notes which user it was asked about.
#[derive(Clone, Default)]
struct NotingGate(std::sync::Arc<parking_lot::Mutex<Vec<UserId>>>);

impl Gate for NotingGate {
    fn check<'call>(&'call self, call: GatedCall<'call>) -> GateFuture<'call> {
        self.0.lock().push(call.user.clone());
        Box::pin(std::future::ready(Ok(Admission::Excused)))
    }
}

#[tokio::test]
async fn the_gate_is_asked_about_the_user_that_a_nested_call_has_signed_in() {
    let gate = NotingGate::default();
    let app = App::builder()
        .method("signIn", TwoFactor::none(), async |context: Context, name: String| {
            context.set_user_id(Some(name.into())).await
        })
        .method("outer", TwoFactor::none(), async |context: Context| context.call::<Value>("inner", &()).await)
        .method("inner", TwoFactor::required().on_demand(), async |me: SignedIn| {
            me.context().call::<()>("signIn", &("bob",)).await?;
            me.demand_two_factor(None).await.map(drop)
        })
        .gate(gate.clone())
        .build()
        .expect("the app fits together");
    let mut client = TestClient::connect(&app).await;
    client.call::<()>("signIn", &("ada",)).await.expect("ada signs in");
    client.call::<Value>("outer", &()).await.expect("no result");
    assert_eq!(*gate.0.lock(), [UserId::from("bob")]);
}

#[tokio::test]
async fn a_custom_type_is_accepted_in_calls_of_the_app_and_nested_calls() {
    let app = App::builder()
        .ejson_type("Decimal")
        .method("echo", TwoFactor::none(), async |_: Context, value: Ejson| Ok(value))
        .method("relay", TwoFactor::none(), async |context: Context, value: Ejson| {
            context.call::<Ejson>("echo", &(value,)).await
        })
        .build()
        .expect("the app fits together");
    let decimal = Ejson::from(Custom::new("Decimal", "1.5"));
    for method in ["echo", "relay"] {
        assert_eq!(app.call(&NOBODY, method, &(&decimal,)).await, Ok(decimal.clone()), "{method}");
    }
}
