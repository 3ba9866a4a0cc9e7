//! The commands with the conformance server and its users: logins, transfers and prompts for codes.

use std::time::Duration;

use bolide::clock::{Clock as _, MovableClock};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::application::application_with_users_at;
use crate::command_line::{Terminal, User, complaint, printed};
use crate::server::Server;

const ORDER: &str = r#"{"to":"bob","amount":25}"#;

/// Bob's secret, `JBSWY3DPEHPK3PXP`, as bytes.
const SECRET: &[u8] = b"Hello!\xde\xad\xbe\xef";

async fn start() -> (Server, MovableClock) {
    let clock = MovableClock::default();
    let app = application_with_users_at(clock.clone(), "smtp://127.0.0.1:1").await;
    (Server::start(app).await, clock)
}

/// Returns a code of bob's authenticator app, 30 seconds after the previous one.
fn next_code(clock: &MovableClock) -> String {
    clock.advance(Duration::from_secs(30));
    let seconds = u64::try_from(clock.now().milliseconds() / 1000).expect("after 1970");
    Builder::new().with_secret(Secret::new(Box::from(SECRET))).build_noncompliant().generate(seconds).to_string()
}

/// Returns the JSON in the output of a terminal, without colours.
fn receipt(shown: &str) -> Value {
    let plain = ["\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[0m"]
        .iter()
        .fold(shown.to_owned(), |text, colour| text.replace(colour, ""));
    let (start, end) = (plain.find("{\r\n").expect("an object"), plain.rfind('}').expect("its end"));
    serde_json::from_str(&plain[start..=end]).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn bob_logs_in_with_his_app_and_is_challenged_before_a_transfer() {
    let ((server, clock), user) = (start().await, User::new("bob"));
    let url = server.url();
    let mut terminal = Terminal::start(user.bolide(&["login", &url, "--user", "bob"]));
    terminal.types("Password of bob: ", "battery staple\n").await;
    terminal.types("The login asks for a code of your authenticator app", &format!("{}\n", next_code(&clock))).await;
    let (status, shown) = terminal.ends().await;
    assert!(status.success() && shown.contains("signed in as bob (user-bob)"), "{shown}");

    let mut terminal = Terminal::start(user.bolide(&["call", &url, "transferFunds", ORDER]));
    terminal.types("`transferFunds` asks for a code of your authenticator app", "000000\n").await;
    terminal.types("The code is wrong.", &format!("{}\n", next_code(&clock))).await;
    let (status, shown) = terminal.ends().await;
    assert!(status.success(), "{shown}");
    assert_eq!(receipt(&shown), json!({"to": "bob", "amount": 25, "argc": 1}));

    // A new connection of the same program and address is still trusted.
    let trusted = user.run(&["call", &url, "transferFunds", ORDER], "").await;
    assert_eq!(trusted.status.code(), Some(0), "{}", complaint(&trusted));
    let without_a_code = user.run(&["call", &url, "gatedSecondFactor"], "").await;
    assert_eq!(without_a_code.status.code(), Some(4), "{}", complaint(&without_a_code));

    let logout = user.run(&["logout", &url], "").await;
    assert_eq!(logout.status.code(), Some(0), "{}", complaint(&logout));
    let nobody = user.run(&["call", &url, "transferFunds", ORDER], "").await;
    assert_eq!(nobody.status.code(), Some(1));
    assert!(complaint(&nobody).contains("error-invalid-user"), "{}", complaint(&nobody));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_rest_alice_is_asked_for_her_password_and_gets_the_receipt() {
    let ((server, _), user) = (start().await, User::new("alice"));
    let url = format!("http://{}", server.address);
    let login = user.run(&["login", "--rest", &url, "--user", "alice", "--password-stdin"], "correct horse\n").await;
    assert_eq!(login.status.code(), Some(0), "{}", complaint(&login));
    assert!(!complaint(&login).contains("warning"), "the host is this machine");
    let mut terminal = Terminal::start(user.bolide(&["call", "--rest", &url, "transferFunds", ORDER]));
    terminal.types("`transferFunds` asks for your password", "correct horse\n").await;
    let (status, shown) = terminal.ends().await;
    assert!(status.success() && !shown.contains("correct horse"), "{shown}");
    assert_eq!(receipt(&shown), json!({"to": "bob", "amount": 25, "argc": 1}));
    let wrong = user.run(&["login", "--rest", &url, "--user", "alice", "--password-stdin"], "wrong\n").await;
    assert_eq!(wrong.status.code(), Some(1), "{}", complaint(&wrong));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_over_rest_requires_its_user_id() {
    let ((server, _), user) = (start().await, User::new("rest-token"));
    let url = server.url();
    let token = server.app.accounts().expect("accounts").issue_token("alice").await.expect("a token");
    let call = ["call", "--rest", &url, "whoami", "--token", &token];
    assert_eq!(user.run(&call, "").await.status.code(), Some(2));
    let who = user.run(&[&call[..], &["--user-id", "user-alice"]].concat(), "").await;
    assert_eq!(printed(&who), "\"user-alice\"\n", "{}", complaint(&who));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_sent_over_http_to_another_host_is_warned_of() {
    let user = User::new("plain");
    // Not reached: no port of that host is open, and the warning comes first.
    let login = async |address: &str, rest: &[&str]| {
        let arguments = [&["login", address, "--user", "ada", "--password-stdin", "--timeout", "1"], rest].concat();
        complaint(&user.run(&arguments, "secret\n").await)
    };
    let warned = login("http://0.0.0.0:1", &["--rest"]).await;
    assert!(warned.contains("warning: over http, the password is sent"), "{warned}");
    for (address, rest) in
        [("http://127.0.0.1:1", &["--rest"][..]), ("https://0.0.0.0:1", &["--rest"]), ("http://0.0.0.0:1", &[])]
    {
        let complaint = login(address, rest).await;
        assert!(!complaint.contains("warning"), "{address} {rest:?}: {complaint}");
    }
}
