//! Rate limits as in Meteor: fixed windows, and a call over the limit fails with `too-many-requests`.

use std::time::Duration;

use bolide::AppBuilder;
use bolide::accounts::Accounts;
use bolide::call::RateLimitRule;
use bolide::clock::{Clock, MovableClock, Timestamp};
use bolide::prelude::*;
use bolide::protocol::error::ErrorCode;
use bolide::testing::TestClient;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::client::Client;
use crate::server::Server;

const TEN_SECONDS: Duration = Duration::from_secs(10);

/// A clock that only moves when the test moves it.
#[derive(Clone, Default)]
struct StoppedClock(std::sync::Arc<std::sync::atomic::AtomicI64>);

impl StoppedClock {
    fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_milliseconds(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

/// A server with these rules, behind one proxy.
async fn serve<const COUNT: usize>(rules: [RateLimitRule; COUNT], clock: impl Clock) -> Server {
    let app = rules.into_iter().fold(App::builder(), AppBuilder::rate_limit);
    let app = app
        .method("add", TwoFactor::none(), async |_: Context, a: f64, b: f64| Ok(a + b))
        .method("nothing", TwoFactor::none(), async |_: Context| Ok(()))
        .method("nested", TwoFactor::none(), async |context: Context| context.call::<f64>("add", &(1, 2)).await)
        .method("logIn", TwoFactor::none(), async |context: Context, user: Option<UserId>| {
            context.set_user_id(user).await
        })
        .publish("empty", async |_: Subscription| Ok(()))
        .clock(clock)
        .forwarded_count(1)
        .build()
        .expect("the app fits together");
    Server::start(app).await
}

const fn twice() -> RateLimitRule {
    RateLimitRule::new(2, TEN_SECONDS)
}

pub(crate) async fn connect_from(server: &Server, address: &str) -> Client {
    let mut request = server.url().into_client_request().expect("a request");
    request.headers_mut().insert("x-forwarded-for", address.parse().expect("a header"));
    let mut client = Client::open_with(server.address, request).await;
    client.start_session().await;
    client
}

/// Returns whether `add` is rejected.
async fn is_refused(client: &mut Client) -> bool {
    refuses(client, "add", json!([1, 2])).await
}

async fn refuses(client: &mut Client, method: &str, params: Value) -> bool {
    let answer = client.ask(method, params).await;
    let error = &answer["error"]["error"];
    assert!(error.is_null() || error == "too-many-requests", "{answer}");
    !error.is_null()
}

#[tokio::test]
async fn a_call_over_the_limit_fails_and_says_how_long_to_wait() {
    let clock = StoppedClock::default();
    let server = serve([twice()], clock.clone()).await;
    let mut client = Client::connect(server.address).await;
    assert!(!is_refused(&mut client).await);
    clock.advance(1);
    assert!(!is_refused(&mut client).await);
    clock.advance(1);
    let refused = client.ask("add", json!([1, 2])).await;
    let reason = "Error, too many requests. Please slow down. You must wait 10 seconds before trying again.";
    assert_eq!(
        refused["error"],
        json!({
            "isClientSafe": true,
            "error": "too-many-requests",
            "reason": reason,
            "details": {"timeToReset": 9_998},
            "message": format!("{reason} [too-many-requests]"),
            "errorType": "Meteor.Error",
        })
    );
}

#[tokio::test]
async fn a_rejected_call_is_updated_too() {
    let server = serve([twice()], StoppedClock::default()).await;
    let mut client = Client::connect(server.address).await;
    for id in ["1", "2", "3"] {
        client.call(id, "nothing", json!([])).await;
        assert_eq!(client.next().await, json!({"msg": "updated", "methods": [id]}));
        assert_eq!(client.next().await["msg"], "result");
    }
}

#[tokio::test]
async fn a_new_window_begins_when_the_old_one_is_over() {
    let clock = MovableClock::default();
    let server = serve([twice()], clock.clone()).await;
    let mut client = Client::connect(server.address).await;
    for _ in 0..2 {
        assert!(!is_refused(&mut client).await);
        assert!(!is_refused(&mut client).await);
        assert!(is_refused(&mut client).await);
        assert!(is_refused(&mut client).await);
        clock.advance(TEN_SECONDS);
    }
}

#[tokio::test]
async fn the_window_does_not_slide() {
    let clock = StoppedClock::default();
    let server = serve([twice()], clock.clone()).await;
    let mut client = Client::connect(server.address).await;
    assert!(!is_refused(&mut client).await);
    clock.advance(9_999);
    assert!(!is_refused(&mut client).await);
    assert!(is_refused(&mut client).await);
    clock.advance(1);
    assert!(!is_refused(&mut client).await);
    assert!(!is_refused(&mut client).await);
    assert!(is_refused(&mut client).await);
}

#[tokio::test]
async fn each_of_several_rules_can_reject_and_the_longest_wait_is_reported() {
    let minute = RateLimitRule::new(3, Duration::from_mins(1));
    let clock = StoppedClock::default();
    let server = serve([twice(), minute], clock.clone()).await;
    let mut client = Client::connect(server.address).await;
    let mut waits = Vec::new();
    for _ in 0..4 {
        let answer = client.ask("add", json!([1, 2])).await;
        waits.push(answer["error"]["details"]["timeToReset"].clone());
    }
    assert_eq!(waits, [json!(null), json!(null), json!(10_000), json!(60_000)]);
    clock.advance(10_000);
    assert!(is_refused(&mut client).await);
}

#[tokio::test]
async fn a_rule_for_everything_counts_all_callers_and_names_together() {
    let server = serve([twice()], StoppedClock::default()).await;
    let mut one = Client::connect(server.address).await;
    let mut two = Client::connect(server.address).await;
    assert!(!refuses(&mut one, "nothing", json!([])).await);
    assert!(!is_refused(&mut two).await);
    assert!(is_refused(&mut one).await);
}

#[tokio::test]
async fn a_rule_per_connection_counts_each_connection_separately() {
    let server = serve([twice().per_connection()], StoppedClock::default()).await;
    for _ in 0..2 {
        let mut client = Client::connect(server.address).await;
        assert!(!is_refused(&mut client).await);
        assert!(!is_refused(&mut client).await);
        assert!(is_refused(&mut client).await);
    }
}

#[tokio::test]
async fn a_rule_per_user_counts_each_user_and_no_anonymous_calls() {
    let rule = twice().methods(["add"]).per_user();
    let server = serve([rule], StoppedClock::default()).await;
    let mut one = Client::connect(server.address).await;
    let mut two = Client::connect(server.address).await;
    for _ in 0..3 {
        assert!(!is_refused(&mut one).await);
    }
    one.ask("logIn", json!(["alice"])).await;
    two.ask("logIn", json!(["alice"])).await;
    assert!(!is_refused(&mut one).await);
    assert!(!is_refused(&mut two).await);
    assert!(is_refused(&mut one).await);
    one.ask("logIn", json!(["bob"])).await;
    assert!(!is_refused(&mut one).await);
}

#[tokio::test]
async fn a_rule_per_address_counts_each_address_on_all_connections() {
    let server = serve([twice().per_address()], StoppedClock::default()).await;
    let mut one = connect_from(&server, "1.1.1.1").await;
    let mut two = connect_from(&server, "1.1.1.1").await;
    let mut three = connect_from(&server, "2.2.2.2").await;
    assert!(!is_refused(&mut one).await);
    assert!(!is_refused(&mut two).await);
    assert!(is_refused(&mut one).await);
    assert!(!is_refused(&mut three).await);
}

#[tokio::test]
async fn a_rule_for_names_counts_each_name_separately_and_no_others() {
    let server = serve([twice().methods(["add", "nothing"])], StoppedClock::default()).await;
    let mut client = Client::connect(server.address).await;
    for _ in 0..2 {
        assert!(!is_refused(&mut client).await);
        assert!(!refuses(&mut client, "nothing", json!([])).await);
    }
    assert!(is_refused(&mut client).await);
    assert!(refuses(&mut client, "nothing", json!([])).await);
    assert!(!refuses(&mut client, "logIn", json!([null])).await);
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_404_and_not_counted() {
    let server = serve([twice()], StoppedClock::default()).await;
    let mut client = Client::connect(server.address).await;
    for _ in 0..4 {
        assert_eq!(client.ask("fly", json!([])).await["error"]["error"], json!(404));
    }
    assert!(!is_refused(&mut client).await);
}

#[tokio::test]
async fn nested_calls_and_calls_by_the_application_are_not_counted() {
    let server = serve([twice().methods(["add"])], StoppedClock::default()).await;
    let mut client = Client::connect(server.address).await;
    for _ in 0..4 {
        assert!(!refuses(&mut client, "nested", json!([])).await);
        let sum: f64 = server.app.call(&Caller::anonymous(), "add", &(1, 2)).await.expect("a sum");
        assert!((sum - 3.0).abs() < f64::EPSILON);
    }
}

#[tokio::test]
async fn subscriptions_are_counted_too_and_rejected_with_nosub() {
    let server = serve([twice().subscriptions(["empty"])], StoppedClock::default()).await;
    let mut client = Client::connect(server.address).await;
    for id in ["1", "2"] {
        client.send(json!({"msg": "sub", "id": id, "name": "empty"})).await;
        assert_eq!(client.next().await, json!({"msg": "ready", "subs": [id]}));
    }
    client.send(json!({"msg": "sub", "id": "3", "name": "empty"})).await;
    let refused = client.next().await;
    assert_eq!((&refused["msg"], &refused["id"]), (&json!("nosub"), &json!("3")));
    assert_eq!(refused["error"]["error"], "too-many-requests");
    assert!(!is_refused(&mut client).await);
}

#[tokio::test]
async fn an_app_with_accounts_limits_logins_on_a_connection_by_default() {
    let accounts = Accounts::sqlite(":memory:").await.expect("accounts");
    let app = App::builder().accounts(accounts).build().expect("the app fits together");
    let mut client = TestClient::connect(&app).await;
    for attempt in 1..=6 {
        let refusal = client.login("nobody", "a guess").await.expect_err("a refused login");
        let expected = if attempt <= 5 { ErrorCode::from(403) } else { ErrorCode::from("too-many-requests") };
        assert_eq!(refusal.error, expected, "attempt {attempt}");
    }
}
