//! The application of the conformance cases, listening on a free port, as the integration tests build it.

use std::net::SocketAddr;
use std::time::Duration;

use bolide::conformance::Mailbox;
use bolide::{App, Heartbeat};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[expect(dead_code, reason = "the integration tests build it in more ways")]
#[path = "../../it/application.rs"]
mod built;

/// A running server, and where it sends its mail.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) mailbox: Mailbox,
    running: JoinHandle<()>,
}

/// The interval and the timeout of heartbeats that cases need.
pub(crate) const HEARTBEAT_MILLISECONDS: u64 = 400;

impl Server {
    /// Starts a server with users.
    #[expect(clippy::expect_used, reason = "a test may stop where its server does not start")]
    pub(crate) async fn start(quick_heartbeats: bool) -> Self {
        let mailbox = Mailbox::open(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let app = if quick_heartbeats {
            with_quick_heartbeats()
        } else {
            built::application_with_users(&mailbox.url()).await
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let running = tokio::spawn(async move { app.serve_on(listener, std::future::pending()).await });
        Self { address, mailbox, running }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

#[expect(clippy::expect_used, reason = "a test may stop where its server does not start")]
fn with_quick_heartbeats() -> App {
    let time = Duration::from_millis(HEARTBEAT_MILLISECONDS);
    let app = built::register(App::builder()).heartbeat(Heartbeat { interval: time, timeout: time });
    app.build().expect("the application fits together")
}
