//! [`NatsBus`]: connects nodes through a NATS server, over the subject `bolide.CLUSTER.events` of core NATS.
//!
//! Core NATS delivers at most once, and that is enough: the messages are hints. The client connects again by itself; whatever
//! was lost meanwhile shows as a gap.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerAddr, Subscriber};
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::time::timeout;

use super::nats_credentials::{NatsCredentials, Shown};
use super::queue::{Queue, queue};
use super::{Bus, BusReceiver, BusSender, ClusterName};

/// The name of the bus.
const NAME: &str = "nats";

/// The time between two pings of the client, of which it may miss two. Beats notice a server that hangs before.
const PING: Duration = Duration::from_secs(5);

/// The timeout for a connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(3);

/// The maximum time between two attempts to connect.
const MAX_DELAY: Duration = Duration::from_secs(1);

/// The maximum number of received messages that wait. They are applied at once, so that few do.
const RECEIVED: usize = 1_024;

/// The maximum number of messages that the client holds; the queue before it holds more.
const SENT: usize = 64;

/// How long a node that leaves waits until its last messages are sent.
const LAST: Duration = Duration::from_secs(1);

/// A bus over one or several NATS servers.
///
/// ```no_run
/// use bolide::bus::NatsBus;
/// use bolide::prelude::*;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = NatsBus::new(["nats://10.0.0.1:4222", "nats://10.0.0.2:4222"])?;
/// let app = App::builder().bus(bus).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct NatsBus {
    servers: Vec<ServerAddr>,
    credentials: Option<NatsCredentials>,
}

/// The error for the URL of a NATS server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the URL of a NATS server is rejected: {reason}; it looks like nats://HOST:4222, or tls://HOST:4222 for TLS")]
pub struct InvalidNatsServer {
    reason: String,
}

impl NatsBus {
    /// Returns a bus over servers, each given by its URL: `nats://[USER:PASSWORD@]HOST[:PORT]`, or `tls://…` to refuse a
    /// connection without TLS. Servers of a NATS cluster tell of each other; with several URLs, one of them must answer.
    /// TLS trusts the certificates of the system, or those in the file that the variable `SSL_CERT_FILE` names.
    ///
    /// # Errors
    /// Returns [`InvalidNatsServer`] if the list is empty, or a URL is malformed.
    pub fn new(urls: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, InvalidNatsServer> {
        let servers: Vec<ServerAddr> = urls.into_iter().map(|url| server(url.as_ref())).collect::<Result<_, _>>()?;
        if servers.is_empty() {
            return Err(InvalidNatsServer { reason: "there is none".to_owned() });
        }
        // The client leaves them aside, and shows the same to all servers.
        let credentials = servers.iter().find_map(NatsCredentials::in_url);
        Ok(Self { servers, credentials })
    }

    /// Sets what the node shows to the servers. Default: what is in the first URL that has something.
    #[must_use]
    pub fn credentials(mut self, credentials: NatsCredentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    fn options(&self, receiver: &BusReceiver) -> ConnectOptions {
        let options = match self.credentials.as_ref().map(|credentials| &credentials.0) {
            None => ConnectOptions::new(),
            Some(Shown::UserAndPassword(user, password)) => {
                ConnectOptions::with_user_and_password(user.clone(), password.clone())
            }
            Some(Shown::Token(token)) => ConnectOptions::with_token(token.clone()),
        };
        let receiver = receiver.clone();
        let is_told = Arc::new(AtomicBool::new(false));
        options
            .name("bolide")
            .retry_on_initial_connect()
            .connection_timeout(CONNECTION_TIMEOUT)
            .ping_interval(PING)
            .subscription_capacity(RECEIVED)
            .client_capacity(SENT)
            .reconnect_delay_callback(delay)
            .event_callback(move |event| {
                hear(&receiver, &is_told, &event);
                std::future::ready(())
            })
    }
}

impl Bus for NatsBus {
    fn name(&self) -> &'static str {
        NAME
    }

    fn join(&self, cluster: &ClusterName, receiver: BusReceiver) -> BusSender {
        let (sender, queue) = queue(NAME);
        let subject = format!("bolide.{cluster}.events");
        tokio::spawn(run(self.clone(), subject, queue, receiver));
        sender
    }
}

/// Carries messages until the node has gone.
async fn run(bus: NatsBus, subject: String, queue: Queue, receiver: BusReceiver) {
    let options = bus.options(&receiver);
    // Connects in the background, again and again.
    let client = match options.connect(bus.servers).await {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "this node cannot join the bus `nats`"),
    };
    match client.subscribe(subject.clone()).await {
        Ok(subscriber) => {
            tokio::select! {
                () = send(&client, subject, queue) => {}
                () = receive(subscriber, &receiver) => {}
            }
        }
        Err(error) => tracing::error!(%error, "this node cannot join the bus `nats`"),
    }
    let _late = timeout(LAST, client.flush()).await;
}

async fn send(client: &Client, subject: String, mut queue: Queue) {
    let subject = async_nats::Subject::from(subject);
    loop {
        let messages = queue.next(SENT).await;
        if messages.is_empty() {
            return;
        }
        for message in messages {
            if let Err(error) = client.publish(subject.clone(), Bytes::from_owner(message)).await {
                // Such as one that is larger than this server takes.
                tracing::warn!(%error, "a message for the bus `nats` is dropped");
            }
        }
    }
}

async fn receive(mut subscriber: Subscriber, receiver: &BusReceiver) {
    while let Some(message) = subscriber.next().await {
        if receiver.is_gone() {
            return;
        }
        receiver.message(&message.payload);
    }
}

/// Hears what the client tells of its connection.
fn hear(receiver: &BusReceiver, is_told: &AtomicBool, event: &Event) {
    match event {
        Event::Connected => {
            is_told.store(true, Ordering::Relaxed);
            receiver.connected();
        }
        Event::Disconnected | Event::Closed => receiver.disconnected(),
        // The queue of received messages was full.
        Event::SlowConsumer(_) => receiver.missed(),
        Event::ServerError(error) => tracing::warn!(%error, "the NATS server reports an error"),
        // A server that was never reached is perhaps the wrong one. Later, the log has a line about the loss.
        Event::ClientError(error) if !is_told.swap(true, Ordering::Relaxed) => {
            tracing::warn!(%error, "the NATS server cannot be reached");
        }
        Event::ClientError(error) => tracing::debug!(%error, "the NATS server cannot be reached"),
        Event::LameDuckMode | Event::Draining => {}
    }
}

fn delay(attempts: usize) -> Duration {
    let doubled = u32::try_from(attempts).unwrap_or(u32::MAX).min(10);
    Duration::from_millis(10).saturating_mul(1 << doubled).min(MAX_DELAY)
}

fn server(url: &str) -> Result<ServerAddr, InvalidNatsServer> {
    // Its error may repeat the URL, with a password in it.
    let parsed: ServerAddr =
        url.trim().parse().map_err(|_| InvalidNatsServer { reason: "it cannot be read".to_owned() })?;
    let scheme = parsed.scheme();
    if !matches!(scheme, "nats" | "tls") {
        return Err(InvalidNatsServer { reason: format!("`{scheme}` is not supported") });
    }
    Ok(parsed)
}

impl fmt::Debug for NatsBus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Their URLs may hold passwords.
        let servers: Vec<String> = self.servers.iter().map(|one| format!("{}:{}", one.host(), one.port())).collect();
        formatter.debug_struct("NatsBus").field("servers", &servers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_servers_are_checked_and_not_shown() {
        let bus = NatsBus::new(["nats://me:secret@a:4333", "tls://b", "c"]).unwrap();
        assert_eq!(format!("{bus:?}"), "NatsBus { servers: [\"a:4333\", \"b:4222\", \"c:4222\"], .. }");
        for urls in [&[][..], &["http://a"], &["ws://a"], &["nats://a", "nats://me:secret@:x"]] {
            let refused = NatsBus::new(urls).unwrap_err().to_string();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn a_server_that_is_away_is_asked_for_every_second() {
        let delays = [0, 1, 5, 7, 1_000, usize::MAX].map(|attempts| delay(attempts).as_millis());
        assert_eq!(delays, [10, 20, 320, 1_000, 1_000, 1_000]);
    }
}
