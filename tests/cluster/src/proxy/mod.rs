//! [`Proxy`]: a TCP proxy that stands in one link of the cluster and can break it.
//!
//! `pump` carries the bytes of one direction; `notifications` leaves PostgreSQL's notifications out of its answers.

mod notifications;
mod pump;

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use notifications::Notifications;
use pump::{carry, swallow};

/// What a proxy does with the connections of its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// It carries everything at once.
    Open,
    /// It carries everything with this delay.
    Slow(Duration),
    /// It accepts connections and carries nothing. What was sent meanwhile arrives when the link is open again, as over a
    /// network that was away.
    BlackHole,
    /// The server sees its connections end, and the client does not: what it sends is lost, and no answer comes. Such a
    /// connection stays dead when the link is open again.
    HalfOpen,
    /// It ends connections and refuses new ones.
    Cut,
    /// It leaves PostgreSQL's notifications out, without a sign.
    Deaf,
}

/// What the servers of a link speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// PostgreSQL's protocol without TLS, whose messages are told apart.
    Postgres,
    /// Anything else.
    Any,
}

/// A proxy on a free port.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    state: watch::Sender<State>,
    listening: AbortHandle,
}

/// What all connections of a proxy follow.
#[derive(Clone, Copy, Debug)]
struct State {
    link: Link,
    /// The port of the server for new connections.
    server: u16,
}

impl Proxy {
    /// Starts a proxy for a server on this machine.
    pub(crate) async fn start(server: u16, protocol: Protocol) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let state = watch::Sender::new(State { link: Link::Open, server });
        let listening = tokio::spawn(listen(listener, protocol, state.subscribe())).abort_handle();
        Ok(Self { port, state, listening })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Breaks the link, or opens it again.
    pub(crate) fn set(&self, link: Link) {
        self.state.send_modify(|state| state.link = link);
    }

    /// Sends new connections to another server, as a load balancer does.
    pub(crate) fn send_to(&self, server: u16) {
        self.state.send_modify(|state| state.server = server);
    }

    /// Returns the port of the server to which new connections go.
    pub(crate) fn server(&self) -> u16 {
        self.state.borrow().server
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, protocol: Protocol, state: watch::Receiver<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let state = state.clone();
        // An error ends its connection only.
        tokio::spawn(async move { drop(serve(client, protocol, state).await) });
    }
}

async fn serve(client: TcpStream, protocol: Protocol, mut state: watch::Receiver<State>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let State { link, server } = *state.borrow();
    if link == Link::Cut {
        return Ok(());
    }
    let (mut from_client, mut to_client) = client.into_split();
    if link == Link::HalfOpen {
        swallow(&mut from_client).await;
        return Ok(());
    }
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?;
    server.set_nodelay(true)?;
    let (mut from_server, mut to_server) = server.into_split();
    let notifications = (protocol == Protocol::Postgres).then(Notifications::default);
    let there = carry(&mut from_client, &mut to_server, None, state.clone());
    let back = carry(&mut from_server, &mut to_client, notifications, state.clone());
    // When one side has ended, the other one still gets what is on its way.
    let both = async { tokio::join!(there, back) };
    tokio::select! {
        ((), ()) = both => return Ok(()),
        () = broken(&mut state) => {}
    }
    drop((from_server, to_server));
    if state.borrow().link == Link::HalfOpen {
        swallow(&mut from_client).await;
    }
    Ok(())
}

/// Waits until connections that exist are ended.
async fn broken(state: &mut watch::Receiver<State>) {
    if state.wait_for(|state| matches!(state.link, Link::Cut | Link::HalfOpen)).await.is_err() {
        // The proxy is gone: what it has carried goes on until a side ends.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    use super::{Link, Protocol, Proxy};

    /// A proxy in front of a server that sends everything back.
    async fn echo() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    drop(tokio::io::copy(&mut from, &mut to).await);
                });
            }
        });
        Proxy::start(port, Protocol::Any).await.unwrap()
    }

    async fn connect(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap()
    }

    async fn answer(stream: &mut TcpStream, wait: u64) -> Option<usize> {
        stream.write_all(b"ping").await.ok()?;
        let mut answer = [0; 16];
        timeout(Duration::from_millis(wait), stream.read(&mut answer)).await.ok()?.ok()
    }

    #[tokio::test]
    async fn an_open_link_carries_and_a_slow_one_takes_its_time() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        assert_eq!(answer(&mut stream, 5_000).await, Some(4));
        proxy.set(Link::Slow(Duration::from_millis(60)));
        let start = Instant::now();
        assert_eq!(answer(&mut stream, 5_000).await, Some(4));
        assert!(start.elapsed() >= Duration::from_millis(120));
    }

    #[tokio::test]
    async fn a_black_hole_gives_everything_back_later() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        proxy.set(Link::BlackHole);
        assert_eq!(answer(&mut stream, 100).await, None);
        proxy.set(Link::Open);
        let mut late = [0; 4];
        timeout(Duration::from_secs(5), stream.read_exact(&mut late)).await.unwrap().unwrap();
        assert_eq!(&late, b"ping");
    }

    #[tokio::test]
    async fn a_cut_ends_connections_and_a_half_open_link_does_not() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        assert_eq!(answer(&mut stream, 5_000).await, Some(4));
        proxy.set(Link::HalfOpen);
        assert_eq!(answer(&mut stream, 100).await, None);
        proxy.set(Link::Open);
        assert_eq!(answer(&mut stream, 100).await, None, "it stays dead");
        let mut another = connect(&proxy).await;
        assert_eq!(answer(&mut another, 5_000).await, Some(4));
        proxy.set(Link::Cut);
        assert!(matches!(answer(&mut another, 5_000).await, None | Some(0)));
    }
}
