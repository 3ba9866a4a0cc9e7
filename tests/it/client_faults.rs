//! The client library over a connection that fails: a proxy between client and server cuts, splits and delays.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bolide::client::{CallError, Change, Client, Login, Reconnect, Resend, Status};
use bolide::prelude::*;
use futures::future::join_all;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::application;
use crate::client_two_factor::{self, Porter};
use crate::server::Server;
use crate::waiting::{soon, until};

/// A fault that the proxy causes in a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Fault {
    /// Cuts the connection after this number of bytes to the client.
    cut_after_to_client: Option<usize>,
    /// Cuts the connection after this number of bytes to the server.
    cut_after_to_server: Option<usize>,
    /// Forwards this number of bytes at a time.
    chunk: Option<usize>,
    /// Stops forwarding instead of cutting the connection.
    stalls: bool,
}

/// A proxy. The first connections have the given faults; later ones have none.
struct Proxy {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// Cuts all connections when it changes.
    cut: watch::Sender<u64>,
}

impl Proxy {
    async fn start(server: SocketAddr, faults: Vec<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (cut, was_cut) = watch::channel(0);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let fault = faults.get(count.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or_default();
                tokio::spawn(carry(client, server, fault, was_cut.clone()));
            }
        });
        Self { address, connections, cut }
    }

    fn url(&self) -> String {
        format!("ws://{}/websocket", self.address)
    }

    fn cut(&self) {
        self.cut.send_modify(|count| *count += 1);
    }
}

async fn carry(client: TcpStream, server: SocketAddr, fault: Fault, mut cut: watch::Receiver<u64>) {
    cut.mark_unchanged();
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = copy(from_client, to_server, fault.cut_after_to_server, fault) => {}
        () = copy(from_server, to_client, fault.cut_after_to_client, fault) => {}
        _ = cut.changed() => {}
    }
}

/// Copies until the end or the limit; dropping both halves then cuts the connection.
async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, limit: Option<usize>, fault: Fault) {
    let mut left = limit.unwrap_or(usize::MAX);
    let mut buffer = vec![0; fault.chunk.unwrap_or(16 * 1024)];
    while left > 0 {
        let size = buffer.len().min(left);
        let Ok(read @ 1..) = from.read(&mut buffer[..size]).await else { return };
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        left -= read;
    }
    if fault.stalls {
        std::future::pending::<()>().await;
    }
}

/// The number of runs of each call, by its number.
pub(crate) type Runs = Arc<Mutex<Vec<usize>>>;

pub(crate) async fn counting_server(runs: &Runs) -> Server {
    let runs = Arc::clone(runs);
    let count = async move |_: Context, number: usize| {
        let mut runs = runs.lock();
        if runs.len() <= number {
            runs.resize(number + 1, 0);
        }
        runs[number] += 1;
        Ok(number)
    };
    let app = application::register(App::builder()).method("count", TwoFactor::none(), count);
    Server::start(app.build().expect("the app fits together")).await
}

async fn connect(url: &str) -> Client {
    let reconnect = Reconnect {
        first_delay: Duration::from_millis(5),
        longest_delay: Duration::from_millis(20),
        ..Reconnect::default()
    };
    let mut tries = 0;
    loop {
        match Client::builder(url).reconnect(reconnect).connect().await {
            Ok(client) => return client,
            Err(error) if tries > 3 => panic!("{error}"),
            Err(_) => tries += 1,
        }
    }
}

async fn hold_a_conversation_through(server: &Server, runs: &Runs, fault: Fault, first: usize) {
    let proxy = Proxy::start(server.address, vec![fault]).await;
    hold_a_conversation(server, &proxy.url(), runs, fault, first).await;
}

/// Makes calls and a subscription at `url`, through a fault. Afterwards, the calls that ran and the client's documents
/// must agree with the answers.
pub(crate) async fn hold_a_conversation(
    server: &Server,
    url: &str,
    runs: &Runs,
    fault: impl std::fmt::Debug,
    first: usize,
) {
    const CALLS: usize = 12;
    let client = connect(url).await;
    let items = client.subscribe("items", &()).expect("a subscription");
    let calls = (first..first + CALLS).map(|number| client.call::<usize>("count", &(number,)).into_future());
    let changes = async {
        let direct = Client::connect(&server.url()).await.expect("a session");
        direct.call::<String>("insertItem", &(json!({"cut": first}),)).await.expect("an id");
    };
    let (outcomes, ()) = soon(futures::future::join(join_all(calls), changes)).await;
    for (number, outcome) in (first..).zip(outcomes) {
        let run = runs.lock().get(number).copied().unwrap_or_default();
        match outcome {
            Ok(answer) => assert_eq!((answer, run), (number, 1), "{fault:?}"),
            Err(CallError::Interrupted) => assert!(run <= 1, "{fault:?}: {run} runs"),
            Err(error) => panic!("{fault:?}: {error}"),
        }
    }
    soon(items.ready()).await.expect("documents");
    let direct = Client::connect(&server.url()).await.expect("a session");
    let directly = direct.subscribe("items", &()).expect("a subscription");
    soon(directly.ready()).await.expect("documents");
    until(|| client.documents("items") == direct.documents("items")).await;
    for document in direct.documents("items") {
        direct.call::<Value>("removeItem", &(document.id().to_wire(),)).await.expect("a removal");
    }
    until(|| client.documents("items").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_on_the_way_to_the_client_loses_no_call_and_repeats_none() {
    let runs = Runs::default();
    let server = counting_server(&runs).await;
    for (round, cut_after) in (130..1700).step_by(53).enumerate() {
        let fault = Fault { cut_after_to_client: Some(cut_after), ..Fault::default() };
        hold_a_conversation_through(&server, &runs, fault, round * 100).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_on_the_way_to_the_server_loses_no_call_and_repeats_none() {
    let runs = Runs::default();
    let server = counting_server(&runs).await;
    for (round, cut_after) in (180..1400).step_by(41).enumerate() {
        let fault = Fault { cut_after_to_server: Some(cut_after), ..Fault::default() };
        hold_a_conversation_through(&server, &runs, fault, round * 100).await;
    }
}

#[tokio::test]
async fn a_conversation_works_byte_by_byte() {
    let runs = Runs::default();
    let server = counting_server(&runs).await;
    hold_a_conversation_through(&server, &runs, Fault { chunk: Some(1), ..Fault::default() }, 0).await;
    assert_eq!(*runs.lock(), [1; 12]);
}

#[tokio::test]
async fn a_pending_call_is_answered_after_a_resumption() {
    let runs = Runs::default();
    let server = counting_server(&runs).await;
    let proxy = Proxy::start(server.address, Vec::new()).await;
    let client = connect(&proxy.url()).await;
    let mut status = client.status();
    let slow = client.call::<u64>("sleep", &(300,)).into_future();
    let cut = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        proxy.cut();
        soon(status.wait_for(|status| matches!(status, Status::Connected { resumed: true }))).await.expect("a session");
    };
    let (slept, ()) = soon(futures::future::join(slow, cut)).await;
    assert_eq!(slept.expect("an answer"), 300);
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_call_that_must_not_be_repeated_is_interrupted() {
    let runs = Runs::default();
    let server = counting_server(&runs).await;
    let proxy = Proxy::start(server.address, Vec::new()).await;
    let client = connect(&proxy.url()).await;
    let slow = client.call::<u64>("sleep", &(60_000,)).resend(Resend::Never).into_future();
    let cut = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        proxy.cut();
    };
    let (slept, ()) = soon(futures::future::join(slow, cut)).await;
    assert!(matches!(slept, Err(CallError::Interrupted)));
}

#[tokio::test]
async fn the_client_reconnects_when_the_server_is_silent() {
    let runs = Runs::default();
    let server = counting_server(&runs).await;
    let fault = Fault { cut_after_to_client: Some(500), stalls: true, ..Fault::default() };
    let proxy = Proxy::start(server.address, vec![fault]).await;
    let heartbeat = bolide::Heartbeat { interval: Duration::from_millis(50), timeout: Duration::from_millis(50) };
    let client = Client::builder(&proxy.url()).heartbeat(heartbeat).connect().await.expect("a session");
    let outcomes = soon(join_all((0..20).map(|number| client.call::<usize>("count", &(number,)).into_future()))).await;
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(CallError::Interrupted))));
    assert_eq!(soon(client.call::<usize>("count", &(20,)).into_future()).await.expect("an answer"), 20);
}

async fn forgetful_server() -> Server {
    let limits = bolide::Limits { resume_grace: Duration::ZERO, ..bolide::Limits::default() };
    let app = client_two_factor::register(App::builder().limits(limits), &Porter::new("totp"));
    let app = app.publish("own", async |subscription: Subscription| {
        let user = subscription.user_id().map(ToString::to_string);
        subscription.added("own", "x", &json!({ "user": user })).await?;
        subscription.ready();
        Ok(())
    });
    Server::start(app.build().expect("the app fits together")).await
}

#[tokio::test]
async fn in_a_new_session_the_client_logs_in_and_subscribes_again() {
    let server = forgetful_server().await;
    let proxy = Proxy::start(server.address, Vec::new()).await;
    let client = connect(&proxy.url()).await;
    soon(client.login(Login::resume("a token"))).await.expect("an account");
    let own = client.subscribe("own", &()).expect("a subscription");
    soon(own.ready()).await.expect("documents");
    let mut changes = client.changes();
    assert!(matches!(soon(changes.next()).await, Some(Change::Added { .. })));
    let mut status = client.status();
    status.mark_unchanged();
    proxy.cut();
    soon(status.wait_for(|status| !status.is_connected())).await.expect("it is lost");
    soon(status.wait_for(|status| matches!(status, Status::Connected { resumed: false }))).await.expect("a session");
    let user: Option<String> = soon(client.call("whoami", &()).into_future()).await.expect("an answer");
    assert_eq!(user.as_deref(), Some("ada"));
    let document = client.document("own", "x").expect("it stays in view");
    assert_eq!(document.field::<String>("user").expect("a text").as_deref(), Some("ada"));
    // Documents that the server sends again are not reported as changes.
    soon(client.clone().close()).await;
    assert_eq!(soon(changes.next()).await, None);
}
