//! Runs the conversations in `protocol/conformance` with the application, in the process and over sockets.

use std::net::SocketAddr;
use std::time::Duration;

use bolide::conformance::{
    InProcess, Level, Mailbox, Options, Report, SockJs, SockJsTransport, Transport, WebSocket, book, run,
};
use bolide::{App, Heartbeat};

use crate::application::{application_with_stored_items, application_with_users, register};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn the_conversations_hold_in_the_process() {
    let mailbox = mailbox().await;
    let app = application_with_users(&mailbox.url()).await;
    let options = options("in-process", mailbox).server("transport", "memory");
    expect_success(&play(&InProcess::new(app), &options).await, 950);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversations_hold_over_websocket() {
    let mailbox = mailbox().await;
    let server = Server::start(application_with_users(&mailbox.url()).await).await;
    expect_success(&play(&web_socket(&server), &options("websocket", mailbox)).await, 1050);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversations_hold_over_a_stored_collection() {
    let mailbox = mailbox().await;
    let server = Server::start(application_with_stored_items(&mailbox.url()).await).await;
    expect_success(&play(&web_socket(&server), &options("stored", mailbox)).await, 1050);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversations_hold_over_sockjs() {
    let mailbox = mailbox().await;
    let server = Server::start(application_with_users(&mailbox.url()).await).await;
    let sockjs = SockJs::new(&format!("ws://{}/sockjs", server.address), "sockjs").expect("an address");
    let options = options("sockjs", mailbox).server("transport", "sockjs");
    expect_success(&play(&sockjs, &options).await, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversations_hold_over_polling() {
    hold_over_http(SockJsTransport::XhrPolling, "xhr-polling").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversations_hold_over_streaming() {
    hold_over_http(SockJsTransport::XhrStreaming, "xhr-streaming").await;
}

/// Chapters whose conversations do not depend on how a connection ends, which the server notices late over HTTP.
const OVER_HTTP: [&str; 5] = ["methods", "subscriptions", "collections", "merge-box", "sockjs"];

async fn hold_over_http(over: SockJsTransport, name: &str) {
    let mailbox = mailbox().await;
    let server = Server::start(application_with_users(&mailbox.url()).await).await;
    let sockjs = SockJs::new(&format!("http://{}/sockjs", server.address), name).expect("an address").over(over);
    let options = options(name, mailbox).server("transport", name);
    let options = OVER_HTTP.into_iter().fold(options, Options::chapter);
    expect_success(&play(&sockjs, &options).await, 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversations_about_heartbeats_and_proxies_hold() {
    let heartbeat = Heartbeat { interval: Duration::from_millis(400), timeout: Duration::from_millis(400) };
    let app = register(App::builder()).heartbeat(heartbeat).forwarded_count(1).build().expect("the app fits together");
    let server = Server::start(app).await;
    let options = Options::new("heartbeat")
        .level(Level::Bolide)
        .chapter("heartbeat")
        .chapter("connection-info")
        .server("heartbeatIntervalMs", 400)
        .server("heartbeatTimeoutMs", 400)
        .server("httpForwardedCount", 1);
    expect_success(&play(&web_socket(&server), &options).await, 30);
}

async fn mailbox() -> Mailbox {
    Mailbox::open(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port")
}

fn options(salt: &str, mailbox: Mailbox) -> Options {
    Options::new(salt).level(Level::Bolide).mailbox(mailbox)
}

fn web_socket(server: &Server) -> WebSocket {
    WebSocket::new(&server.url()).expect("an address")
}

async fn play(transport: &impl Transport, options: &Options) -> Report {
    run(transport, &book::embedded().expect("the cases are valid"), options).await
}

/// Checks that all cases passed as they are recommended, and that enough were run.
fn expect_success(report: &Report, at_least: usize) {
    let mut text = Vec::new();
    report.write(&mut text).expect("a report");
    let text = String::from_utf8_lossy(&text);
    assert!(report.is_success(), "{text}");
    assert_eq!((report.counts().non_strict, report.counts().unimplemented), (0, 0), "{text}");
    assert!(report.counts().passed >= at_least, "too few conversations were held:\n{text}");
}
