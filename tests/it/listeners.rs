//! What a server listens on: TLS, Unix sockets, several addresses.

#![expect(clippy::unwrap_used, reason = "what a test prepares works, or the test fails")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bolide::client::{Client, RestClient};
use bolide::{App, Limits, Listener, Tls};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::application::{application, application_with_users};
use crate::client_tls::{CERTIFICATE, KEY, trusting};
use crate::raw::upgrade_request;
use crate::waiting::soon;

/// A key of the same kind as that of the certificate, which belongs to no certificate.
const OTHER_KEY: &[u8] = include_bytes!("certificate/other_key.pem");

/// A directory of a test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes the certificate of the tests and its key, and reads them.
    fn tls(&self) -> Tls {
        Tls::open(self.file("certificate.pem", CERTIFICATE), self.file("key.pem", KEY)).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// An app that is served on some listeners until it is stopped.
struct Served {
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Served {
    fn start(app: &App, listeners: Vec<Listener>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let app = app.clone();
        let running = tokio::spawn(async move { app.serve_all(listeners, async { drop(stopped.await) }).await });
        Self { stop, running }
    }

    async fn shut_down(self) {
        drop(self.stop);
        soon(self.running).await.unwrap();
    }
}

async fn over_tls(tls: &Tls) -> (Listener, u16) {
    let listener = Listener::bind("localhost:0").await.unwrap().with_tls(tls);
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Opens a connection with TLS that offers some protocols.
async fn connect(port: u16, protocols: &[&[u8]]) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut config = ClientConfig::clone(&trusting());
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let socket = TcpStream::connect(("localhost", port)).await.unwrap();
    soon(TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), socket)).await
}

#[tokio::test]
async fn sessions_and_requests_go_over_tls() {
    let directory = Directory::new("tls");
    let (listener, port) = over_tls(&directory.tls()).await;
    assert_eq!(listener.to_string(), format!("https://{}", listener.local_addr().unwrap()));
    let served = Served::start(&application(), vec![listener]);
    let client = soon(Client::builder(&format!("wss://localhost:{port}")).tls(trusting()).connect()).await.unwrap();
    for number in 0..3_u64 {
        let sum: u64 = soon(client.call("add", &(number, 2)).into_future()).await.unwrap();
        assert_eq!(sum, number + 2);
    }
    // Longer than what TLS keeps until the client reads.
    let long = "x".repeat(700_000);
    let back: String = soon(client.call("echo", &(&long,)).into_future()).await.unwrap();
    assert_eq!(back, long);
    served.shut_down().await;
}

#[tokio::test]
async fn rest_is_served_over_https() {
    let directory = Directory::new("https");
    let app = application_with_users("smtp://127.0.0.1:1").await;
    let (listener, port) = over_tls(&directory.tls()).await;
    let served = Served::start(&app, vec![listener]);
    let client = RestClient::new(&format!("https://localhost:{port}")).unwrap().tls(trusting());
    let sum: u64 = soon(client.call("add", &(1, 2))).await.unwrap();
    assert_eq!(sum, 3);
    served.shut_down().await;
}

#[tokio::test]
async fn only_http_1_is_negotiated() {
    let directory = Directory::new("alpn");
    let (listener, port) = over_tls(&directory.tls()).await;
    let served = Served::start(&application(), vec![listener]);
    let chosen = connect(port, &[b"h2", b"http/1.1"]).await.unwrap();
    assert_eq!(chosen.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(connect(port, &[b"h2"]).await.is_err());
    assert_eq!(connect(port, &[]).await.unwrap().get_ref().1.alpn_protocol(), None);
    served.shut_down().await;
}

#[tokio::test]
async fn a_silent_or_malformed_handshake_holds_nothing_up_and_ends_with_the_server() {
    let directory = Directory::new("handshakes");
    let (listener, port) = over_tls(&directory.tls()).await;
    let served = Served::start(&application(), vec![listener]);
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(("localhost", port)).await.unwrap());
    }
    let mut plain = TcpStream::connect(("localhost", port)).await.unwrap();
    plain.write_all(upgrade_request("/websocket", "").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _reset = soon(plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"), "plain HTTP is not served beside TLS");
    assert!(connect(port, &[b"http/1.1"]).await.is_ok());
    served.shut_down().await;
    for mut socket in silent {
        let _reset = soon(socket.read_to_end(&mut Vec::new())).await;
    }
}

#[tokio::test]
async fn connections_in_their_handshake_count_for_the_limits() {
    let directory = Directory::new("handshake-limits");
    let (listener, port) = over_tls(&directory.tls()).await;
    let limits = Limits { connections_per_network: 3, ..Limits::default() };
    let served = Served::start(&App::builder().limits(limits).build().unwrap(), vec![listener]);
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(("localhost", port)).await.unwrap());
    }
    assert!(connect(port, &[]).await.is_err());
    drop(silent);
    soon(async { while connect(port, &[]).await.is_err() {} }).await;
    served.shut_down().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_used_and_a_broken_one_is_not() {
    let directory = Directory::new("renewal");
    let tls = directory.tls();
    assert!(!tls.reload().unwrap(), "the files have not changed");
    let (listener, port) = over_tls(&tls).await;
    let served = Served::start(&application(), vec![listener]);
    directory.file("key.pem", b"no key");
    let refused = tls.reload().unwrap_err().to_string();
    assert!(refused.contains("key.pem (--tls-key) has no private key in PEM"), "{refused}");
    assert!(connect(port, &[]).await.is_ok(), "the old pair stays");
    directory.file("key.pem", KEY);
    // The same certificate twice, which clients see as another chain.
    directory.file("certificate.pem", &[CERTIFICATE, CERTIFICATE].concat());
    let older = connect(port, &[]).await.unwrap();
    assert!(tls.reload().unwrap());
    let newer = connect(port, &[]).await.unwrap();
    let length =
        |stream: &tokio_rustls::client::TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap().len();
    assert_eq!((length(&older), length(&newer)), (1, 2));
    served.shut_down().await;
}

#[test]
fn a_pair_that_does_not_fit_is_refused_with_the_names_of_the_flags() {
    let directory = Directory::new("pairs");
    let certificate = directory.file("certificate.pem", CERTIFICATE);
    let key = directory.file("key.pem", KEY);
    let other = directory.file("other.pem", OTHER_KEY);
    for (certificate, key, sentence) in [
        (Path::new("/no/such"), &*key, "the file /no/such (--tls-cert) cannot be read"),
        (&*certificate, Path::new("/no/such"), "the file /no/such (--tls-key) cannot be read"),
        (&*key, &*key, "(--tls-cert) has no certificate in PEM"),
        (&*certificate, &*certificate, "(--tls-key) has no private key in PEM"),
        (&*certificate, &*other, "other.pem (--tls-key) cannot be used"),
    ] {
        let refused = Tls::open(certificate, key).unwrap_err().to_string();
        assert!(refused.contains(sentence), "{sentence} is not in: {refused}");
    }
}

#[tokio::test]
async fn a_unix_socket_serves_those_who_may_open_its_file() {
    let directory = Directory::new("unix");
    let path = directory.0.join("bolide.sock");
    let address = format!("unix:{}", path.display());
    let listener = Listener::bind(&address).await.unwrap();
    assert_eq!(listener.to_string(), address);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o660);
    let (tcp, served_at) = over_tls(&directory.tls()).await;
    let served = Served::start(&application(), vec![listener, tcp]);
    let mut socket = UnixStream::connect(&path).await.unwrap();
    socket.write_all(upgrade_request("/websocket", "").as_bytes()).await.unwrap();
    let mut head = [0; 12];
    soon(socket.read_exact(&mut head)).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    assert!(connect(served_at, &[]).await.is_ok(), "both are served");
    let taken = Listener::bind(&address).await.unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    served.shut_down().await;
    assert!(!path.exists(), "the file is removed");
}

#[tokio::test]
async fn only_the_file_of_a_socket_that_was_left_behind_is_replaced() {
    let directory = Directory::new("stale");
    let path = directory.0.join("bolide.sock");
    let address = format!("unix:{}", path.display());
    // Closed without removing its file, as by a process that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let listener = Listener::bind_with_mode(&address, 0o600).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // A file that another process has put there is not removed.
    std::fs::remove_file(&path).unwrap();
    directory.file("bolide.sock", b"data");
    drop(listener);
    assert_eq!(std::fs::read(&path).unwrap(), b"data");
    let refused = Listener::bind(&address).await.unwrap_err().to_string();
    assert!(refused.contains("is not a socket"), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), b"data");
}

/// Returns the address that a method sees of a client on a Unix socket with this header.
async fn seen_over_unix(trusted: &[&str], name: &str) -> String {
    let directory = Directory::new(name);
    let path = directory.0.join("bolide.sock");
    let (tell, told) = oneshot::channel();
    let tell = parking_lot::Mutex::new(Some(tell));
    let app = App::builder().on_connection(move |connection| {
        if let Some(tell) = tell.lock().take() {
            let _gone = tell.send(format!("{:?}", connection.client_address()));
        }
    });
    let app = trusted.iter().fold(app, |app, proxy| app.trusted_proxy(proxy.parse().unwrap()));
    let listener = Listener::bind(&format!("unix:{}", path.display())).await.unwrap();
    let served = Served::start(&app.build().unwrap(), vec![listener]);
    let mut socket = UnixStream::connect(&path).await.unwrap();
    let request = upgrade_request("/websocket", "x-forwarded-for: 6.6.6.6, 1.1.1.1\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(socket.read_u8()).await.unwrap());
    }
    let connect = crate::raw::frame(crate::raw::TEXT, br#"{"msg":"connect","version":"1","support":["1"]}"#);
    socket.write_all(&connect).await.unwrap();
    let seen = soon(told).await.unwrap();
    drop(socket);
    served.shut_down().await;
    seen
}

#[tokio::test]
async fn the_header_of_a_client_on_a_unix_socket_is_trusted_only_if_unix_is_a_trusted_proxy() {
    assert_eq!(seen_over_unix(&[], "unix-plain").await, "None");
    assert_eq!(seen_over_unix(&["0.0.0.0/0", "::/0"], "unix-all").await, "None");
    assert_eq!(seen_over_unix(&["unix"], "unix-trusted").await, "Some(1.1.1.1)");
}
