//! A server on a free port, for as long as a test holds it.

use std::net::SocketAddr;

use bolide::App;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running server. Dropping it stops it without a word; [`shut_down`](Self::shut_down) stops it in order.
pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(app: App) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let served = app.clone();
        let running = tokio::spawn(async move {
            served.serve_on(listener, async { drop(stopped.await) }).await;
        });
        Self { app, address, stop: Some(stop), running }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/websocket", self.address)
    }

    /// Asks the server to end, and waits until it has.
    pub(crate) async fn shut_down(mut self) {
        drop(self.stop.take());
        (&mut self.running).await.expect("the server ends well");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}
