//! The conversations in `protocol/conformance`, held with the application in the process and over sockets.

use std::time::Duration;

use bolide::conformance::{InProcess, Level, Options, Report, SockJs, Transport, WebSocket, book, run};
use bolide::{App, Heartbeat};

use crate::application::{application, register};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn the_conversations_hold_in_the_process() {
    let options = Options::new("in-process").level(Level::Bolide).server("transport", "memory");
    let report = play(&InProcess::new(application()), &options).await;
    expect_success(&report, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversations_hold_over_websocket() {
    let server = Server::start(application()).await;
    let report = play(&web_socket(&server), &Options::new("websocket").level(Level::Bolide)).await;
    expect_success(&report, 590);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversations_hold_over_sockjs() {
    let server = Server::start(application()).await;
    let sockjs = SockJs::new(&format!("ws://{}/sockjs", server.address)).expect("an address");
    let options = Options::new("sockjs").level(Level::Bolide).server("transport", "sockjs");
    expect_success(&play(&sockjs, &options).await, 550);
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

fn web_socket(server: &Server) -> WebSocket {
    WebSocket::new(&server.url()).expect("an address")
}

async fn play(transport: &impl Transport, options: &Options) -> Report {
    run(transport, &book::embedded().expect("the cases are valid"), options).await
}

/// All that were played have passed, and not too few were played.
fn expect_success(report: &Report, at_least: usize) {
    let mut text = Vec::new();
    report.write(&mut text).expect("a report");
    let text = String::from_utf8_lossy(&text);
    assert!(report.is_success(), "{text}");
    assert!(report.counts().passed >= at_least, "too few conversations were held:\n{text}");
}
