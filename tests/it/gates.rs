//! The gate in front of gated methods, and the code in the last parameter.

use std::sync::Arc;

use bolide::call::{Admission, Gate, GateFuture, GatedCall, Requirement};
use bolide::prelude::*;
use bolide::protocol::two_factor::TwoFactorMethod;
use bolide::testing::TestClient;
use bolide::{AppBuilder, DdpError, Error};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::client::Client;
use crate::messages::Messages as _;
use crate::server::Server;

const CODE: &str = "123456";

/// The arguments of a call to the gate.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    method: String,
    requirement: Requirement,
    user: String,
    connection: Option<String>,
    code: Option<(String, String)>,
}

/// A gate that admits calls with one code, and records its arguments.
#[derive(Clone, Default)]
struct Porter {
    book: Arc<Mutex<Vec<Seen>>>,
}

impl Porter {
    fn seen(&self) -> Vec<Seen> {
        self.book.lock().clone()
    }

    fn methods(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.method).collect()
    }
}

impl Gate for Porter {
    fn check<'call>(&'call self, call: GatedCall<'call>) -> GateFuture<'call> {
        let code = call.code.map(|shown| (shown.code().to_owned(), shown.method().to_owned()));
        let admitted = code.as_ref().is_some_and(|(code, _)| code == CODE);
        self.book.lock().push(Seen {
            method: call.method.to_owned(),
            requirement: call.requirement,
            user: call.user.to_string(),
            connection: call.connection.map(|connection| connection.id().to_owned()),
            code,
        });
        let shown = Admission::Shown(TwoFactorMethod::Totp);
        let answer = if admitted { Ok(shown) } else { Err(DdpError::totp_required(TwoFactorMethod::Totp)) };
        Box::pin(std::future::ready(answer))
    }
}

/// The parameters that a handler received.
async fn show(me: SignedIn, first: Ejson, second: Ejson) -> MethodResult<Value> {
    Ok(json!([me.context().argument_count(), first, second]))
}

async fn ok(_: SignedIn) -> MethodResult<&'static str> {
    Ok("ok")
}

async fn calls_gated(me: SignedIn) -> MethodResult<String> {
    me.context().call("gated", &()).await
}

async fn calls_gated_as_another(me: SignedIn) -> MethodResult<String> {
    me.context().set_user_id(Some("mallory".into())).await?;
    me.context().call("gated", &()).await
}

fn register(app: AppBuilder) -> AppBuilder {
    let strict = TwoFactor::required().disable_remember_me().require_second_factor();
    app.method("gated", TwoFactor::required(), ok)
        .method("strict", strict, ok)
        .method("show", TwoFactor::required(), show)
        .method("gatedOuter", TwoFactor::required(), calls_gated)
        .method("gatedAsAnother", TwoFactor::required(), calls_gated_as_another)
        .method("openOuter", TwoFactor::none(), calls_gated)
        .method("logIn", TwoFactor::none(), async |context: Context, user: UserId| {
            context.set_user_id(Some(user)).await
        })
        .method("echo", TwoFactor::none(), async |_: Context, value: Ejson| Ok(value))
        .method("count", TwoFactor::none(), async |context: Context| Ok(context.argument_count()))
}

fn app_with(porter: &Porter) -> App {
    register(App::builder()).gate(porter.clone()).build().expect("the app fits together")
}

fn code(code: &str) -> Value {
    json!({"twoFactorCode": code, "twoFactorMethod": "totp"})
}

async fn call(app: &App, method: &str, parameters: Value) -> Result<Value, DdpError> {
    app.call(&Caller::user("alice"), method, &parameters).await
}

#[tokio::test]
async fn the_gate_gets_method_requirement_user_connection_and_code() {
    let porter = Porter::default();
    let server = Server::start(app_with(&porter)).await;
    let mut client = Client::connect(server.address).await;
    client.ask("logIn", json!(["alice"])).await;
    let answer = client.ask("strict", json!([code(CODE)])).await;
    assert_eq!(answer["result"], "ok");
    let seen = Seen {
        method: "strict".to_owned(),
        requirement: TwoFactor::required().disable_remember_me().require_second_factor(),
        user: "alice".to_owned(),
        connection: Some(client.session().to_owned()),
        code: Some((CODE.to_owned(), "totp".to_owned())),
    };
    assert_eq!(porter.seen(), [seen]);
}

#[tokio::test]
async fn a_call_by_the_application_has_no_connection() {
    let porter = Porter::default();
    assert_eq!(call(&app_with(&porter), "gated", json!([code(CODE)])).await, Ok(json!("ok")));
    assert_eq!(porter.seen()[0].connection, None);
}

#[tokio::test]
async fn the_handler_never_sees_the_code() {
    let app = app_with(&Porter::default());
    let shown = call(&app, "show", json!(["a", "b", code(CODE)])).await;
    assert_eq!(shown, Ok(json!([2, "a", "b"])));
    let shown = call(&app, "show", json!(["a", code(CODE)])).await;
    assert_eq!(shown, Ok(json!([1, "a", null])));
}

#[tokio::test]
async fn a_wrong_code_does_not_admit() {
    let app = app_with(&Porter::default());
    let refusal = Err(DdpError::totp_required(TwoFactorMethod::Totp));
    assert_eq!(call(&app, "gated", json!([code("000000")])).await, refusal);
    assert_eq!(call(&app, "gated", json!([])).await, refusal);
    assert_eq!(call(&app, "gated", json!([""])).await, refusal);
}

#[tokio::test]
async fn parameters_that_only_resemble_a_code_are_not_codes() {
    let porter = Porter::default();
    let app = app_with(&porter);
    let others = [
        json!({"twoFactorCode": 123_456, "twoFactorMethod": "totp"}),
        json!({"twoFactorCode": {"$ne": ""}, "twoFactorMethod": "totp"}),
        json!({"twoFactorCode": CODE, "twoFactorMethod": ["totp"]}),
        json!({"twoFactorCode": CODE}),
        json!({"twoFactorCode": "", "twoFactorMethod": "totp"}),
        json!([{"twoFactorCode": CODE, "twoFactorMethod": "totp"}]),
        json!(CODE),
    ];
    for other in others {
        assert!(call(&app, "gated", json!([other])).await.is_err());
    }
    assert!(porter.seen().iter().all(|seen| seen.code.is_none()));
}

#[tokio::test]
async fn only_the_last_parameter_can_be_a_code() {
    let porter = Porter::default();
    call(&app_with(&porter), "show", json!([code(CODE), "b"])).await.expect_err("no code was shown");
    assert_eq!(porter.seen()[0].code, None);
}

#[tokio::test]
async fn the_gate_is_asked_before_the_parameters_are_read() {
    let app = register(App::builder()).gate(Porter::default());
    let app = app.method("typed", TwoFactor::required(), async |_: SignedIn, number: f64| Ok(number));
    let app = app.build().expect("the app fits together");
    let refused = call(&app, "typed", json!(["no number"])).await.expect_err("a refusal");
    assert_eq!(refused.message(), "TOTP Required [totp-required]");
    let failed = call(&app, "typed", json!(["no number", code(CODE)])).await;
    assert_eq!(failed, Err(DdpError::match_failed()));
}

#[tokio::test]
async fn without_a_login_a_gated_call_fails_before_the_gate_is_asked() {
    let porter = Porter::default();
    let app = app_with(&porter);
    let outcome: Result<Value, _> = app.call(&Caller::anonymous(), "gated", &[code(CODE)]).await;
    let error = outcome.expect_err("a refusal");
    assert_eq!(error.message(), "Invalid user [error-invalid-user]");
    assert_eq!(error.details.expect("details").get(), r#"{"method":"twoFactorRequired"}"#);
    assert_eq!(porter.seen(), []);
}

#[tokio::test]
async fn without_a_gate_an_app_rejects_every_gated_call() {
    let app = register(App::builder()).build().expect("the app fits together");
    let error = call(&app, "gated", json!([code(CODE)])).await.expect_err("a refusal");
    assert_eq!(error.message(), "TOTP Required [totp-required]");
    let details: Value = serde_json::from_str(error.details.expect("details").get()).expect("JSON");
    assert_eq!(details, json!({"method": "totp", "codeGenerated": false, "availableMethods": []}));
}

#[tokio::test]
async fn a_gated_call_within_a_gated_one_is_not_challenged_again() {
    let porter = Porter::default();
    let outcome = call(&app_with(&porter), "gatedOuter", json!([code(CODE)])).await;
    assert_eq!(outcome, Ok(json!("ok")));
    assert_eq!(porter.methods(), ["gatedOuter"]);
}

#[tokio::test]
async fn a_gated_call_within_an_open_one_is_challenged() {
    let porter = Porter::default();
    call(&app_with(&porter), "openOuter", json!([code(CODE)])).await.expect_err("a refusal");
    assert_eq!(porter.methods(), ["gated"]);
}

#[tokio::test]
async fn a_gated_call_of_a_subscription_is_challenged_as_its_user_and_connection() {
    let porter = Porter::default();
    let app = register(App::builder())
        .publish("gated", async |subscription: Subscription, code: Option<Value>| {
            let parameters: Vec<Value> = code.into_iter().collect();
            let text: String = subscription.call("gated", &parameters).await?;
            subscription.added("texts", "1", &json!({ "text": text })).await
        })
        .gate(porter.clone())
        .build()
        .expect("the app fits together");
    let server = Server::start(app).await;
    let mut client = Client::connect(server.address).await;
    client.ask("logIn", json!(["alice"])).await;
    client.send(json!({"msg": "sub", "id": "1", "name": "gated"})).await;
    let nosub = client.next().await;
    assert_eq!((&nosub["msg"], &nosub["error"]["error"]), (&json!("nosub"), &json!("totp-required")));
    client.send(json!({"msg": "sub", "id": "2", "name": "gated", "params": [code(CODE)]})).await;
    assert_eq!(client.next().await["fields"], json!({"text": "ok"}));
    let [first, second] = &*porter.seen() else { panic!("{:?}", porter.seen()) };
    assert_eq!((&*first.method, &*first.user, &first.code), ("gated", "alice", &None));
    assert!(first.connection.is_some());
    assert_eq!((&second.connection, &second.code), (&first.connection, &Some((CODE.to_owned(), "totp".to_owned()))));
}

#[tokio::test]
async fn a_user_logged_in_by_a_gated_method_has_not_passed_the_gate() {
    let porter = Porter::default();
    let server = Server::start(app_with(&porter)).await;
    let mut client = Client::connect(server.address).await;
    client.ask("logIn", json!(["alice"])).await;
    let answer = client.ask("gatedAsAnother", json!([code(CODE)])).await;
    assert_eq!(answer["error"]["error"], "totp-required");
    let asked: Vec<String> = porter.seen().into_iter().map(|seen| seen.user).collect();
    assert_eq!(asked, ["alice", "mallory"]);
}

/// A gate that excuses callers as far as policies let it, and admits one code once.
#[derive(Clone, Default)]
struct Lenient {
    is_used_up: Arc<Mutex<bool>>,
}

impl Gate for Lenient {
    fn check<'call>(&'call self, call: GatedCall<'call>) -> GateFuture<'call> {
        let is_right = call.code.is_some_and(|shown| shown.code() == CODE);
        let answer = if !call.requirement.is_second_factor_required() {
            Ok(Admission::Excused)
        } else if is_right && !std::mem::replace(&mut *self.is_used_up.lock(), true) {
            Ok(Admission::Shown(TwoFactorMethod::Totp))
        } else {
            Err(DdpError::totp_required(TwoFactorMethod::Totp))
        };
        Box::pin(std::future::ready(answer))
    }
}

fn lenient_app() -> App {
    let app = App::builder()
        .method("strict", TwoFactor::required().require_second_factor(), ok)
        .method("outer", TwoFactor::required(), async |me: SignedIn| me.context().call::<String>("strict", &()).await)
        .method("outerTwice", TwoFactor::required(), async |me: SignedIn| {
            me.context().call::<String>("strict", &()).await?;
            me.context().call::<String>("outer", &()).await
        })
        .method("onDemand", TwoFactor::required().on_demand(), async |me: SignedIn| {
            let _admitted = me.demand_two_factor(None).await?;
            me.context().call::<String>("strict", &()).await
        });
    app.gate(Lenient::default()).build().expect("the app fits together")
}

#[tokio::test]
async fn a_nested_call_that_requires_more_than_was_met_asks_again() {
    for outer in ["outer", "outerTwice", "onDemand"] {
        let refusal = call(&lenient_app(), outer, json!([])).await.expect_err("a refusal");
        assert_eq!(refusal.error, "totp-required".into(), "{outer}");
    }
}

#[tokio::test]
async fn a_code_that_the_outer_call_did_not_need_counts_for_the_nested_ones() {
    for outer in ["outer", "outerTwice", "onDemand"] {
        assert_eq!(call(&lenient_app(), outer, json!([code(CODE)])).await, Ok(json!("ok")), "{outer}");
    }
}

#[tokio::test]
async fn of_calls_that_arrive_together_each_needs_its_own_code() {
    let porter = Porter::default();
    let app = register(App::builder())
        .method("become", TwoFactor::none(), async |context: Context, user: Option<UserId>| {
            context.set_user_id(user).await
        })
        .gate(porter.clone())
        .build()
        .expect("the app fits together");
    let mut client = TestClient::connect(&app).await;
    let calls = [
        ("become", json!(["alice"])),
        ("gated", json!([code(CODE)])),
        ("gated", json!([])),
        ("gated", json!([code("000000")])),
        ("gated", json!([code(CODE)])),
        ("become", json!(["bob"])),
        ("gated", json!([])),
        ("become", json!([null])),
        ("gated", json!([code(CODE)])),
    ];
    for (id, (method, params)) in calls.iter().enumerate() {
        client.send_json(json!({"msg": "method", "id": id.to_string(), "method": method, "params": params})).await;
    }
    let mut outcomes = Vec::new();
    for _ in calls {
        let result = client.next_of(&["result"]).await;
        outcomes.push(result["error"]["error"].as_str().unwrap_or("ok").to_owned());
    }
    let (asked, signed_out) = ("totp-required", "error-invalid-user");
    assert_eq!(outcomes, ["ok", "ok", asked, asked, "ok", "ok", asked, "ok", signed_out]);
    let users: Vec<String> = porter.seen().into_iter().map(|seen| seen.user).collect();
    assert_eq!(users, ["alice", "alice", "alice", "alice", "bob"]);
}

#[tokio::test]
async fn a_gate_that_panics_admits_no_call_and_reveals_nothing() {
    struct Broken;
    impl Gate for Broken {
        fn check<'call>(&'call self, _: GatedCall<'call>) -> GateFuture<'call> {
            panic!("a secret")
        }
    }
    let app = register(App::builder()).gate(Broken).build().expect("the app fits together");
    assert_eq!(call(&app, "gated", json!([code(CODE)])).await, Err(DdpError::internal()));
}

#[tokio::test]
async fn open_methods_ignore_parameters_that_clients_append() {
    let app = app_with(&Porter::default());
    for spare in [json!(""), json!(null), code("an old one")] {
        assert_eq!(call(&app, "echo", json!(["here", spare])).await, Ok(json!("here")));
        assert_eq!(call(&app, "count", json!([spare])).await, Ok(json!(0)));
    }
}

#[tokio::test]
async fn open_methods_reject_other_additional_parameters() {
    let app = app_with(&Porter::default());
    for surplus in [json!(0), json!(false), json!("x"), json!([]), json!({}), json!({"twoFactorCode": "1"})] {
        assert_eq!(call(&app, "echo", json!(["here", surplus])).await, Err(DdpError::match_failed()));
    }
}

#[tokio::test]
async fn a_declared_parameter_is_never_dropped() {
    let app = app_with(&Porter::default());
    for value in [json!(""), json!(null), json!(0), json!(false), code("an old one")] {
        assert_eq!(call(&app, "echo", json!([value])).await, Ok(value.clone()));
        assert_eq!(call(&app, "show", json!(["a", value, code(CODE)])).await, Ok(json!([2, "a", value])));
    }
}

#[test]
fn building_fails_for_a_gated_method_that_needs_no_login() {
    let app = App::builder().method("open", TwoFactor::required(), async |_: Context| Ok(()));
    let mistake = app.build().expect_err("a mistake").to_string();
    assert!(mistake.contains("`open`") && mistake.contains("`SignedIn`"), "{mistake}");
}

#[test]
fn building_fails_for_two_methods_with_one_name() {
    let app = register(App::builder()).method("gated", TwoFactor::none(), ok);
    let mistake = app.build().expect_err("a mistake");
    assert!(matches!(mistake, Error::Build(_)));
    assert_eq!(mistake.to_string(), "there are two methods named `gated`; each name can be registered once");
}

#[test]
fn the_policies_of_all_methods_can_be_listed() {
    let app = app_with(&Porter::default());
    let gated: Vec<String> =
        app.methods().into_iter().filter(|method| method.policy.is_gated()).map(|method| method.name).collect();
    assert_eq!(gated, ["gated", "gatedAsAnother", "gatedOuter", "show", "strict"]);
}
