//! The connection's task: it passes frames between the socket and the [`State`](super::state::State), sends heartbeats,
//! and reconnects when the connection is lost.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bolide_protocol::ClientMessage;
use futures::{Sink as _, SinkExt as _, Stream as _};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::destination::Destination;
use super::error::ConnectError;
use super::shared::Shared;
use super::socket::{Connected, Socket, connect};
use super::state::Disconnection;
use super::status::Status;
use crate::chance::{Chance as _, SystemChance};
use crate::limits::Heartbeat;

/// The maximum number of frames that are read before other tasks get their turn.
const FRAMES_AT_ONCE: usize = 128;

/// The timeout for closing the session and the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs until the client is closed.
pub(super) async fn run(shared: Arc<Shared>, destination: Destination, connected: Connected) {
    let reason = Task { shared: &shared, destination }.keep_connected(connected).await;
    shared.state().end(reason.as_ref());
    shared.status.send_replace(Status::Closed);
}

struct Task<'client> {
    shared: &'client Shared,
    destination: Destination,
}

/// How a connection ended.
enum End {
    Closed,
    Lost,
    GivenUp(ConnectError),
}

impl Task<'_> {
    /// Returns the reason why the client gave up, or `None` if the user has closed it.
    async fn keep_connected(&self, mut connected: Connected) -> Option<Arc<ConnectError>> {
        let mut failures = 0;
        let mut resumed = false;
        loop {
            self.shared.status.send_replace(Status::Connected { resumed });
            let since = Instant::now();
            let end = self.serve(connected).await;
            self.shared.state().connection_lost();
            match end {
                End::Closed => return None,
                End::GivenUp(reason) => return Some(Arc::new(reason)),
                End::Lost => {}
            }
            if since.elapsed() > self.destination.options.reconnect.longest_delay {
                failures = 0;
            }
            connected = match self.reconnect(&mut failures).await {
                Ok(connected) => connected,
                Err(reason) => return reason,
            };
            resumed = self.shared.state().connected(connected.session.clone());
        }
    }

    /// Retries until there is a connection. Fails with the last reason, or with `None` if the user closes the client.
    async fn reconnect(&self, failures: &mut u32) -> Result<Connected, Option<Arc<ConnectError>>> {
        let mut last: Option<Arc<ConnectError>> = None;
        loop {
            if self.destination.options.reconnect.attempts.is_some_and(|limit| *failures >= limit) {
                return Err(Some(last.unwrap_or_else(|| Arc::new(ConnectError::Lost))));
            }
            let delay = self.destination.options.reconnect.delay(*failures, chance());
            let waiting = Status::Waiting { attempt: *failures, delay, reason: last.clone() };
            self.shared.status.send_replace(waiting);
            self.unless_closing(sleep(delay)).await.ok_or(None)?;
            self.shared.status.send_replace(Status::Connecting);
            *failures = failures.saturating_add(1);
            let attempt = connect(&self.destination, |version| self.shared.state().connect_request(version));
            match self.unless_closing(attempt).await.ok_or(None)? {
                Ok(connected) => return Ok(connected),
                Err(reason) => {
                    tracing::debug!(%reason, "cannot reconnect");
                    last = Some(Arc::new(reason));
                }
            }
        }
    }

    /// Returns the output of `work`, or `None` if the user closes the client before that.
    async fn unless_closing<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        poll_fn(|context| {
            let is_closing = {
                let mut state = self.shared.state();
                state.set_task(context.waker());
                state.is_closing()
            };
            if is_closing { Poll::Ready(None) } else { work.as_mut().poll(context).map(Some) }
        })
        .await
    }

    /// Passes frames until the connection ends.
    async fn serve(&self, connected: Connected) -> End {
        let Connected { socket, version, .. } = connected;
        let mut carrier = Carrier {
            shared: self.shared,
            socket,
            heartbeat: version
                .has_heartbeats()
                .then(|| HeartbeatTimer::new(self.destination.options.heartbeat))
                .flatten(),
            message_size: self.destination.options.limits.message_size,
            needs_flush: false,
        };
        let end = poll_fn(|context| carrier.poll(context)).await;
        if !matches!(end, End::Lost) {
            // The server may be gone already.
            let _gone = timeout(CLOSE_TIMEOUT, close(&mut carrier.socket)).await;
        }
        end
    }
}

/// Tells the server not to keep the session, and closes the connection.
async fn close(socket: &mut Socket) {
    let disconnect = Message::text(ClientMessage::Disconnect.to_frame());
    let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
    if socket.feed(disconnect).await.is_err() || socket.close(Some(frame)).await.is_err() {
        return;
    }
    while poll_fn(|context| Pin::new(&mut *socket).poll_next(context)).await.is_some_and(|read| read.is_ok()) {}
}

/// One connection, polled by hand: reading does not wait for writing, and waiting frames share one write.
struct Carrier<'client> {
    shared: &'client Shared,
    socket: Socket,
    heartbeat: Option<HeartbeatTimer>,
    /// The maximum size of a message of the server, in bytes.
    message_size: usize,
    needs_flush: bool,
}

impl Carrier<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        self.shared.state().set_task(context.waker());
        if let Some(end) = self.read(context) {
            return Poll::Ready(end);
        }
        if let Poll::Ready(end) = self.poll_heartbeat(context) {
            return Poll::Ready(end);
        }
        match self.write(context) {
            Poll::Ready(Err(())) => Poll::Ready(End::Lost),
            // All frames are written.
            Poll::Ready(Ok(())) if self.shared.state().is_closing() => Poll::Ready(End::Closed),
            _ => Poll::Pending,
        }
    }

    /// Reads what the server has sent. Returns `None` if the connection goes on.
    fn read(&mut self, context: &mut Context<'_>) -> Option<End> {
        for _ in 0..FRAMES_AT_ONCE {
            let message = match Pin::new(&mut self.socket).poll_next(context) {
                Poll::Pending => return None,
                Poll::Ready(Some(Ok(message))) => message,
                Poll::Ready(Some(Err(Error::Capacity(_)))) => return Some(self.too_large()),
                Poll::Ready(_) => return Some(End::Lost),
            };
            if let Some(heartbeat) = &mut self.heartbeat {
                heartbeat.heard();
            }
            let Message::Text(text) = message else { continue };
            match self.shared.state().receive(&text) {
                Ok(()) => {}
                Err(Disconnection::Reconnect) => return Some(End::Lost),
                Err(Disconnection::GiveUp(reason)) => return Some(End::GivenUp(reason)),
            }
        }
        context.waker().wake_by_ref();
        None
    }

    /// In another connection the server would send the same message again.
    fn too_large(&self) -> End {
        End::GivenUp(ConnectError::MessageTooLarge(self.message_size))
    }

    fn write(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ()>> {
        loop {
            ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(drop)?;
            let Some(frame) = self.shared.state().next_frame() else { break };
            Pin::new(&mut self.socket).start_send(as_message(frame)).map_err(drop)?;
            self.needs_flush = true;
        }
        if self.needs_flush {
            ready!(Pin::new(&mut self.socket).poll_flush(context)).map_err(drop)?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_heartbeat(&mut self, context: &mut Context<'_>) -> Poll<End> {
        let Some(heartbeat) = &mut self.heartbeat else { return Poll::Pending };
        match ready!(heartbeat.poll(context)) {
            Beat::Ping => self.shared.state().ping(),
            Beat::Silence => return Poll::Ready(End::Lost),
        }
        // Polls again, which sets the timer.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Converts without checking UTF-8 again.
fn as_message(frame: bytestring::ByteString) -> Message {
    Message::Text(Utf8Bytes::try_from(frame.into_bytes()).unwrap_or_default())
}

/// Decides when to send a ping, and when to treat the server as gone.
struct HeartbeatTimer {
    heartbeat: Heartbeat,
    timer: Pin<Box<Sleep>>,
    has_heard: bool,
    awaits_pong: bool,
}

enum Beat {
    Ping,
    Silence,
}

impl HeartbeatTimer {
    fn new(heartbeat: Heartbeat) -> Option<Self> {
        if heartbeat.interval.is_zero() {
            return None;
        }
        let timer = Box::pin(sleep(heartbeat.interval));
        Some(Self { heartbeat, timer, has_heard: false, awaits_pong: false })
    }

    /// Notes that the server has sent something.
    fn heard(&mut self) {
        self.has_heard = true;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Beat> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            if std::mem::take(&mut self.has_heard) {
                self.awaits_pong = false;
                self.wait(self.heartbeat.interval);
            } else if self.awaits_pong {
                return Poll::Ready(Beat::Silence);
            } else {
                self.awaits_pong = true;
                self.wait(self.heartbeat.timeout);
                return Poll::Ready(Beat::Ping);
            }
        }
    }

    fn wait(&mut self, duration: Duration) {
        self.timer.as_mut().reset(Instant::now() + duration);
    }
}

/// Returns a random number between 0 and 1.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    SystemChance.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}
