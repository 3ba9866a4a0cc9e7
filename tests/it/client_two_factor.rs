//! The client's prompt for the second factor, for calls and logins.

use std::collections::VecDeque;
use std::sync::Arc;

use bolide::call::{Admission, Gate, GateFuture, GatedCall};
use bolide::client::{Answer, CallError, Challenge, Client, Login, Subject, TwoFactorMethod};
use bolide::prelude::*;
use bolide::protocol::RawJson;
use bolide::protocol::two_factor::TwoFactorCode;
use bolide::{AppBuilder, DdpError};
use futures::future::join_all;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::server::Server;
use crate::waiting::soon;

/// A gate with one correct code, which blocks after three wrong ones in a row.
#[derive(Clone)]
pub(crate) struct Porter {
    method: &'static str,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    codes: Vec<String>,
    wrong: usize,
    remembers: bool,
    is_remembered: bool,
}

impl Porter {
    pub(crate) fn new(method: &'static str) -> Self {
        Self { method, book: Arc::default() }
    }

    pub(crate) fn codes(&self) -> Vec<String> {
        self.book.lock().codes.clone()
    }

    fn decide(&self, shown: Option<&str>) -> Result<(), DdpError> {
        let mut book = self.book.lock();
        if book.is_remembered {
            return Ok(());
        }
        let Some(code) = shown else { return Err(self.refusal("totp-required")) };
        book.codes.push(code.to_owned());
        if code == right_code(self.method) {
            book.is_remembered = book.remembers;
            return Ok(());
        }
        book.wrong += 1;
        Err(self.refusal(if book.wrong < 3 { "totp-invalid" } else { "totp-max-attempts" }))
    }

    fn refusal(&self, error: &str) -> DdpError {
        let details = json!({"method": self.method, "codeGenerated": false, "availableMethods": ["totp", "email"]});
        DdpError::new(error, "TOTP").with_details(details)
    }
}

/// For `password` this is the hash of "secret".
fn right_code(method: &str) -> &'static str {
    match method {
        "password" => "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
        _ => "123456",
    }
}

impl Gate for Porter {
    fn check<'call>(&'call self, call: GatedCall<'call>) -> GateFuture<'call> {
        let decision = self.decide(call.code.map(TwoFactorCode::code));
        Box::pin(std::future::ready(decision.map(|()| Admission::Excused)))
    }
}

fn as_error(error: &DdpError) -> MethodError {
    let bolide::protocol::error::ErrorCode::Name(name) = &error.error else { panic!("a name") };
    let details: Value = serde_json::from_str(error.details.as_ref().expect("details").get()).expect("JSON");
    MethodError::new(name.as_str(), error.reason.clone().unwrap_or_default()).with_details(details)
}

/// A login that accepts one password and asks for a code, as Rocket.Chat's does.
async fn log_in(context: Context, options: Value, porter: Porter) -> MethodResult<RawJson> {
    let totp = &options["totp"];
    let login = if totp.is_object() { &totp["login"] } else { &options };
    let password = login["password"]["digest"].as_str();
    if login["resume"] != "a token" {
        if password != Some(right_code("password")) {
            return Err(MethodError::new(403, "Incorrect password"));
        }
        porter.decide(totp["code"].as_str()).map_err(|error| as_error(&error))?;
    }
    context.set_user_id(Some("ada".into())).await?;
    Ok(RawJson::parse(r#"{"id":"ada","token":"a token","tokenExpires":{"$date":1},"type":"password"}"#).expect("JSON"))
}

pub(crate) fn register(app: AppBuilder, porter: &Porter) -> AppBuilder {
    let of_login = porter.clone();
    app.gate(porter.clone())
        .method("login", TwoFactor::none(), async move |context: Context, options: Value| {
            log_in(context, options, of_login.clone()).await
        })
        .method("enter", TwoFactor::none(), async |context: Context| context.set_user_id(Some("ada".into())).await)
        .method("whoami", TwoFactor::none(), async |context: Context| Ok(context.user_id().map(|id| id.to_string())))
        .method("transferFunds", TwoFactor::required(), async |me: SignedIn, order: Value| {
            Ok(json!({"to": order["to"], "argc": me.context().argument_count()}))
        })
}

/// Answers from a list, and records the challenges.
#[derive(Clone, Default)]
struct Person {
    answers: Arc<Mutex<VecDeque<&'static str>>>,
    asked: Arc<Mutex<Vec<Challenge>>>,
}

impl Person {
    fn who_answers(answers: &[&'static str]) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), asked: Arc::default() }
    }

    fn answer(&self, challenge: Challenge) -> Answer {
        self.asked.lock().push(challenge);
        self.answers.lock().pop_front().into()
    }

    fn asked(&self) -> Vec<Challenge> {
        self.asked.lock().clone()
    }
}

async fn start(porter: &Porter) -> Server {
    Server::start(register(App::builder(), porter).build().expect("the app fits together")).await
}

async fn connect(server: &Server, person: &Person) -> Client {
    let person = person.clone();
    let builder = Client::builder(&server.url());
    let client = builder.two_factor(async move |challenge| person.answer(challenge)).connect().await;
    client.expect("a session")
}

async fn signed_in(server: &Server, person: &Person) -> Client {
    let client = connect(server, person).await;
    client.call::<()>("enter", &()).await.expect("everybody may");
    client
}

async fn transfer(client: &Client) -> Result<Value, CallError> {
    soon(client.call("transferFunds", &(json!({"to": "bob"}),)).into_future()).await
}

#[tokio::test]
async fn a_correct_code_admits_the_call_and_the_method_never_sees_it() {
    let (porter, person) = (Porter::new("totp"), Person::who_answers(&["123456"]));
    let server = start(&porter).await;
    let receipt = transfer(&signed_in(&server, &person).await).await.expect("a receipt");
    assert_eq!(receipt, json!({"to": "bob", "argc": 1}));
    let asked = person.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].subject(), &Subject::Method("transferFunds".to_owned()));
    assert_eq!((asked[0].method(), asked[0].is_repeated()), (TwoFactorMethod::Totp, false));
    assert_eq!(asked[0].available_methods().collect::<Vec<_>>(), [TwoFactorMethod::Totp, TwoFactorMethod::Email]);
}

#[tokio::test]
async fn after_a_wrong_code_the_user_is_asked_again_and_no_code_is_sent_twice() {
    let (porter, person) = (Porter::new("email"), Person::who_answers(&["000000", "123456"]));
    let server = start(&porter).await;
    transfer(&signed_in(&server, &person).await).await.expect("a receipt");
    let repeated: Vec<bool> = person.asked().iter().map(Challenge::is_repeated).collect();
    assert_eq!(repeated, [false, true]);
    assert_eq!(porter.codes(), ["000000", "123456"]);
}

#[tokio::test]
async fn cancelling_fails_the_call_with_the_challenge() {
    let (porter, person) = (Porter::new("totp"), Person::who_answers(&["000000"]));
    let server = start(&porter).await;
    let error = transfer(&signed_in(&server, &person).await).await.expect_err("no code");
    let CallError::TwoFactorCanceled(challenge) = error else { panic!("{error}") };
    assert_eq!(challenge.error.to_string(), "totp-invalid");
}

#[tokio::test]
async fn too_many_wrong_codes_end_the_call_without_another_prompt() {
    let (porter, person) = (Porter::new("totp"), Person::who_answers(&["1", "2", "3", "4"]));
    let server = start(&porter).await;
    let error = transfer(&signed_in(&server, &person).await).await.expect_err("a refusal");
    assert_eq!(error.server().expect("the server's").error.to_string(), "totp-max-attempts");
    assert_eq!(porter.codes(), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_password_is_sent_as_a_hash() {
    let (porter, person) = (Porter::new("password"), Person::who_answers(&["secret"]));
    let server = start(&porter).await;
    transfer(&signed_in(&server, &person).await).await.expect("a receipt");
    assert_eq!(porter.codes(), [right_code("password")]);
}

#[tokio::test]
async fn an_unknown_two_factor_method_is_an_error_without_a_prompt() {
    let (porter, person) = (Porter::new("webauthn"), Person::who_answers(&["123456"]));
    let server = start(&porter).await;
    let error = transfer(&signed_in(&server, &person).await).await.expect_err("a refusal");
    assert!(matches!(error, CallError::Server(_)));
    assert_eq!(person.asked().len(), 0);
}

#[tokio::test]
async fn parallel_calls_prompt_one_at_a_time_and_stop_once_trusted() {
    let (porter, person) = (Porter::new("totp"), Person::who_answers(&["123456"]));
    porter.book.lock().remembers = true;
    let server = start(&porter).await;
    let client = signed_in(&server, &person).await;
    let receipts = join_all((0..5).map(|_| transfer(&client))).await;
    assert!(receipts.iter().all(Result::is_ok), "{receipts:?}");
    assert_eq!(person.asked().len(), 1);
}

#[tokio::test]
async fn without_a_prompt_the_challenge_is_the_error() {
    let (porter, person) = (Porter::new("totp"), Person::who_answers(&["123456"]));
    let server = start(&porter).await;
    let client = signed_in(&server, &person).await;
    let call = client.call::<Value>("transferFunds", &(json!({}),)).without_prompt();
    assert!(matches!(call.await, Err(CallError::Server(_))));
}

#[tokio::test]
async fn a_login_asks_for_the_code_and_sends_it_in_totp() {
    let (porter, person) = (Porter::new("totp"), Person::who_answers(&["000000", "123456"]));
    let server = start(&porter).await;
    let client = connect(&server, &person).await;
    let account = soon(client.login(Login::password("ada", "secret"))).await.expect("an account");
    assert_eq!((account.user_id(), account.token()), ("ada", "a token"));
    assert_eq!(client.user_id().as_deref(), Some("ada"));
    assert_eq!(person.asked()[1].subject(), &Subject::Login);
}

#[tokio::test]
async fn a_wrong_password_is_not_a_challenge() {
    let (porter, person) = (Porter::new("totp"), Person::who_answers(&["123456"]));
    let server = start(&porter).await;
    let error = connect(&server, &person).await.login(Login::password("ada", "wrong")).await.expect_err("a refusal");
    assert_eq!(error.to_string(), "Incorrect password [403]");
    assert_eq!(person.asked().len(), 0);
}

#[tokio::test]
async fn debug_output_hides_codes_passwords_and_tokens() {
    let shown = format!("{:?} {:?}", Login::password("ada", "secret"), Answer::code("secret"));
    assert!(!shown.contains("secret") && !shown.contains(right_code("password")), "{shown}");
}
