//! `bolide conformance` as a user runs it: exit codes, what it prints, and the files that it writes.

#![expect(clippy::unwrap_used, reason = "a server of a test may stop at what it does not expect")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;

use futures::StreamExt as _;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::application::application;
use crate::client_tls::encrypt;
use crate::command_line::User;
use crate::conformance_runner::{Mistake, serve};
use crate::server::Server;

/// A case that the servers of these tests keep, unless they make a mistake with results.
const RESULT: &str = "methods/1";

async fn bolide(arguments: &[&str]) -> Output {
    let mut all = vec!["conformance"];
    all.extend(arguments);
    User::new("conformance").run(&all, "").await
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Checks that the command was refused with one sentence, and returns it.
fn refusal(output: &Output) -> String {
    let (printed, told) = (stdout(output), stderr(output));
    assert_eq!(output.status.code(), Some(2), "{printed}{told}");
    assert_eq!((printed.as_str(), told.lines().count()), ("", 1), "{told}");
    told
}

fn url(address: SocketAddr) -> String {
    format!("ws://{address}/websocket")
}

/// Returns the path of a file for one test.
fn file(name: &str) -> PathBuf {
    let directory =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("conformance-files-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_in_one_sentence() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let told = refusal(&bolide(&[&url(address)]).await);
    assert!(told.starts_with("bolide: cannot reach the server: "), "{told}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_ddp_is_told_in_one_sentence() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                while let Some(Ok(_)) = socket.next().await {}
            });
        }
    });
    let told = refusal(&bolide(&[&url(address), "--patience-ms", "200"]).await);
    assert!(told.contains("does not answer `connect` within 200ms"), "{told}");
}

#[tokio::test]
async fn the_exit_code_tells_whether_cases_failed() {
    let right = url(serve(Mistake::None).await);
    let passed = bolide(&[&right, "--case", RESULT]).await;
    assert_eq!(passed.status.code(), Some(0), "{}", stdout(&passed));
    assert!(stdout(&passed).contains("1 passed, 0 non-strict, 0 failed"), "{}", stdout(&passed));
    assert_eq!(stderr(&passed), "", "progress is for terminals");

    let wrong = url(serve(Mistake::NullError).await);
    let failed = bolide(&[&wrong, "--case", RESULT, "--parallel", "1"]).await;
    assert_eq!(failed.status.code(), Some(1), "{}", stdout(&failed));
    assert!(stdout(&failed).contains("1 case differs at: result.error\n"), "{}", stdout(&failed));

    let none = bolide(&[&right, "--case", RESULT, "--without", "collections", "--chapter", "collections"]).await;
    assert_eq!(none.status.code(), Some(2), "{}", stdout(&none));
    assert!(stderr(&none).contains("no case was run"), "{}", stderr(&none));

    let help = stdout(&bolide(&["--help"]).await);
    assert!(help.contains("Exit codes:\n  0  all cases"), "{help}");
}

#[tokio::test]
async fn cases_are_listed_without_a_server() {
    let listed = bolide(&["--list", "--case", "heartbeat/*", "--case", RESULT]).await;
    assert_eq!(listed.status.code(), Some(0), "{}", stderr(&listed));
    let lines = stdout(&listed);
    assert!(lines.lines().all(|line| line.starts_with("heartbeat/") || line.starts_with("methods/1 ")), "{lines}");
    assert!(lines.contains("(skipped: it needs --need heartbeatIntervalMs=400"), "{lines}");
}

#[tokio::test]
async fn names_that_do_not_exist_are_refused_with_the_nearest() {
    let known = file("unknown.txt");
    std::fs::write(&known, "methods/1\nmethodz/2\n").unwrap();
    for (arguments, name) in [
        (["--case", "method/1"], "methods/1"),
        (["--chapter", "heartbeats"], "heartbeat"),
        (["--need", "heartbeatIntervallMs=400"], "heartbeatIntervalMs"),
        (["--expect", text(&known)], "methods/2"),
    ] {
        let told = refusal(&bolide(&["--list", arguments[0], arguments[1]]).await);
        assert!(told.ends_with(&format!("does not exist; the nearest is `{name}`\n")), "{told}");
    }
}

#[tokio::test]
async fn known_failures_fail_when_they_pass() {
    let known = file("known.txt");
    std::fs::write(&known, format!("# found today\n{RESULT}  a null that clients do not expect\n")).unwrap();
    let arguments = |url: String| async move {
        let known = file("known.txt");
        bolide(&[&url, "--case", RESULT, "--expect", text(&known)]).await
    };
    let failing = arguments(url(serve(Mistake::NullError).await)).await;
    assert_eq!(failing.status.code(), Some(0), "{}", stdout(&failing));
    assert!(stdout(&failing).contains("0 failed, 1 failed as expected"), "{}", stdout(&failing));
    let passing = arguments(url(serve(Mistake::None).await)).await;
    assert_eq!(passing.status.code(), Some(1), "{}", stdout(&passing));
    assert!(stdout(&passing).contains("remove it from the list"), "{}", stdout(&passing));
}

#[tokio::test]
async fn servers_are_tested_over_tls() {
    let server = Server::start(application()).await;
    let url = format!("wss://localhost:{}/websocket", encrypt(&server).await);
    let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/certificate/certificate.pem");
    let trusting = bolide(&[&url, "--case", RESULT, "--ca", certificate]).await;
    assert_eq!(trusting.status.code(), Some(0), "{}{}", stdout(&trusting), stderr(&trusting));
    let told = refusal(&bolide(&[&url, "--case", RESULT]).await);
    assert!(told.contains("the TLS handshake with localhost:"), "{told}");
    let told = refusal(&bolide(&[&url, "--ca", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]).await);
    assert!(told.contains("for --ca: it contains no certificate"), "{told}");
}

#[tokio::test]
async fn servers_are_tested_over_each_transport_of_sockjs() {
    let server = Server::start(application()).await;
    let url = format!("http://{}/sockjs", server.address);
    for transport in ["sockjs", "xhr-polling", "xhr-streaming"] {
        let output = bolide(&[&url, "--case", RESULT, "--transport", transport]).await;
        assert_eq!(output.status.code(), Some(0), "{transport}: {}{}", stdout(&output), stderr(&output));
    }
    let told = refusal(&bolide(&[&format!("http://{}/elsewhere", server.address), "--transport", "xhr-polling"]).await);
    assert!(told.contains("/elsewhere/info is answered with 404"), "{told}");
}

#[tokio::test]
async fn reports_are_written_and_compared() {
    let (right, wrong) = (url(serve(Mistake::None).await), url(serve(Mistake::NullError).await));
    let (one, other, junit, html) = (file("one.json"), file("other.json"), file("one.xml"), file("both.html"));
    let first = ["--case", RESULT, "--server-name", "Right", "--json", text(&one), "--junit", text(&junit)];
    assert_eq!(bolide(&[&[right.as_str()], first.as_slice()].concat()).await.status.code(), Some(0));
    let second = ["--case", RESULT, "--server-name", "Wrong", "--json", text(&other)];
    assert_eq!(bolide(&[&[wrong.as_str()], second.as_slice()].concat()).await.status.code(), Some(1));

    let record: Value = serde_json::from_str(&std::fs::read_to_string(&other).unwrap()).unwrap();
    assert_eq!(record["outcomes"][0]["because"]["difference"], "result.error");
    assert_eq!(record["subject"]["address"], wrong);
    assert!(std::fs::read_to_string(&junit).unwrap().contains(r#"<testsuite name="methods" tests="1" failures="0""#));

    let compared = bolide(&["report", text(&one), text(&other), "--html", text(&html)]).await;
    assert_eq!(compared.status.code(), Some(0), "{}", stderr(&compared));
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains("<h3>Right</h3>") && page.contains("<h3>Wrong</h3>"), "{page}");

    let told = refusal(&bolide(&["report", text(&junit), "--html", text(&html)]).await);
    assert!(told.contains("is not a report of `bolide conformance --json`"), "{told}");
    let told = refusal(&bolide(&["report", "missing.json", "--html", text(&html)]).await);
    assert!(told.contains("cannot read missing.json"), "{told}");
}
