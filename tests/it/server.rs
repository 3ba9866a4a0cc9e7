//! A server on a free port that stops when it is dropped.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bolide::App;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running server. Dropping it stops it abruptly; [`shut_down`](Self::shut_down) stops it gracefully.
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

    /// Shuts the server down and waits until it has stopped.
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

/// A server with its own thread, so that its CPU time can be measured. It runs until the process ends.
pub(crate) struct ServerThread {
    pub(crate) address: SocketAddr,
    /// The file with the thread's statistics.
    statistics: PathBuf,
}

impl ServerThread {
    pub(crate) fn start(app: App) -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let server = Server::start(app).await;
                let thread = std::fs::read_link("/proc/thread-self").expect("Linux");
                tell.send((server.address, thread)).expect("a test that waits");
                std::future::pending::<()>().await;
            });
        });
        let (address, thread) = told.recv().expect("a server");
        Self { address, statistics: PathBuf::from("/proc").join(thread).join("schedstat") }
    }

    /// Returns the CPU time that it has used.
    pub(crate) fn processor_time(&self) -> Duration {
        let statistics = std::fs::read_to_string(&self.statistics).expect("Linux");
        let nanoseconds = statistics.split(' ').next().and_then(|number| number.parse().ok());
        Duration::from_nanos(nanoseconds.expect("a number"))
    }
}
