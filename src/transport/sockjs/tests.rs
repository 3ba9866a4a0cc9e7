//! Tests of the transports without a server: timeouts, and clients that vanish.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::io::DuplexStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::pace::Pace;
use super::poll_request::{Kind, PollRequest};
use super::registry::{XhrSession, XhrSessions};
use super::response::{ResponseBody, response};
use super::websocket::SockJsWebSocket;
use super::xhr::XhrTransport;
use crate::limits::Limits;
use crate::outbox::{Condition, Link, Outbox};
use crate::session::{Goodbye, Received, Transport};

const SOON: Duration = Duration::from_millis(20);
const NEVER: Duration = Duration::from_hours(1);

fn pace(heartbeat: Duration, pong: Duration, absence: Duration) -> Pace {
    Pace { heartbeat, pong, absence }
}

fn outbox() -> Arc<Outbox> {
    Arc::new(Outbox::new(Link::Driver, &Arc::default(), &Arc::default()))
}

/// Drives a transport until it receives a message or ends the session.
async fn drive(transport: &mut impl Transport, outbox: &Arc<Outbox>) -> Option<Received> {
    poll_fn(|context| {
        outbox.register_driver(context);
        let received = transport.poll_receive(context);
        transport.poll_send(outbox, context);
        if outbox.is_broken_off() {
            return Poll::Ready(None);
        }
        received.map(Some)
    })
    .await
}

/// A session over requests: its client and its transport.
struct Xhr {
    sessions: XhrSessions,
    client: Arc<XhrSession>,
    transport: XhrTransport,
    outbox: Arc<Outbox>,
}

impl Xhr {
    fn new(pace: Pace) -> Self {
        let sessions = XhrSessions::with_pace(pace, Limits::default().message_bytes);
        let (client, new) = sessions.find_or_add("a");
        Self { sessions, client, transport: XhrTransport::new(new.unwrap()), outbox: outbox() }
    }

    /// Creates a session whose client has polled once.
    async fn greeted(pace: Pace) -> Self {
        let mut xhr = Self::new(pace);
        let mut body = xhr.poll(Kind::Polling);
        assert_eq!(xhr.read(&mut body).await.as_deref(), Some("o\n"));
        assert_eq!(xhr.read(&mut body).await, None);
        xhr
    }

    fn poll(&self, kind: Kind) -> ResponseBody {
        let (writer, body) = response();
        assert!(self.client.polls.try_send(PollRequest::new(writer, kind)).is_ok());
        body
    }

    /// Returns the next chunk of a response.
    async fn read(&mut self, body: &mut ResponseBody) -> Option<String> {
        let driving = drive(&mut self.transport, &self.outbox);
        let chunk = tokio::select! {
            biased;
            chunk = body.next() => chunk,
            _ = driving => body.next().await,
        };
        Some(String::from_utf8(chunk?.unwrap().into()).unwrap())
    }

    async fn is_broken_off(&mut self) -> bool {
        let driving = drive(&mut self.transport, &self.outbox);
        matches!(timeout(Duration::from_secs(5), driving).await, Ok(None))
    }
}

#[tokio::test]
async fn a_poll_without_messages_ends_with_a_heartbeat() {
    let mut xhr = Xhr::greeted(pace(SOON, NEVER, NEVER)).await;
    let mut body = xhr.poll(Kind::Polling);
    assert_eq!(xhr.read(&mut body).await.as_deref(), Some("h\n"));
    assert_eq!(xhr.read(&mut body).await, None);
}

#[tokio::test]
async fn a_stream_without_messages_continues_with_heartbeats() {
    let mut xhr = Xhr::greeted(pace(SOON, NEVER, SOON)).await;
    let mut body = xhr.poll(Kind::Streaming);
    let prelude = xhr.read(&mut body).await.unwrap();
    assert_eq!(prelude, format!("{}\n", "h".repeat(2048)));
    for _ in 0..3 {
        assert_eq!(xhr.read(&mut body).await.as_deref(), Some("h\n"));
    }
}

#[tokio::test]
async fn a_stream_ends_when_it_is_long() {
    let mut xhr = Xhr::greeted(pace(NEVER, NEVER, NEVER)).await;
    let mut body = xhr.poll(Kind::Streaming);
    xhr.read(&mut body).await.unwrap();
    let message = "x".repeat(1 << 10);
    for _ in 0..128 {
        xhr.outbox.send(message.clone().into());
        assert_eq!(xhr.read(&mut body).await, Some(format!("a[\"{message}\"]\n")));
    }
    assert_eq!(xhr.read(&mut body).await, None);
}

#[tokio::test]
async fn waiting_messages_are_sent_in_one_frame() {
    let mut xhr = Xhr::greeted(pace(NEVER, NEVER, NEVER)).await;
    xhr.outbox.send("a".into());
    xhr.outbox.send("b".into());
    let mut body = xhr.poll(Kind::Polling);
    assert_eq!(xhr.read(&mut body).await.as_deref(), Some("a[\"a\",\"b\"]\n"));
}

#[tokio::test]
async fn a_client_that_stays_away_is_gone() {
    let mut xhr = Xhr::greeted(pace(NEVER, NEVER, SOON)).await;
    assert!(xhr.is_broken_off().await);
    assert!(xhr.sessions.find("a").is_some());
    drop(xhr.transport);
    assert!(xhr.sessions.find("a").is_none());
}

#[tokio::test]
async fn a_client_that_never_polls_is_gone() {
    assert!(Xhr::new(pace(NEVER, NEVER, SOON)).is_broken_off().await);
}

#[tokio::test]
async fn a_client_that_vanishes_in_the_middle_of_a_response_is_gone() {
    for kind in [Kind::Polling, Kind::Streaming] {
        let mut xhr = Xhr::greeted(pace(NEVER, NEVER, NEVER)).await;
        let body = xhr.poll(kind);
        assert!(drive(&mut xhr.transport, &xhr.outbox).now_or_never().is_none());
        drop(body);
        assert!(xhr.is_broken_off().await);
    }
}

#[tokio::test]
async fn a_second_poll_is_rejected_and_the_first_continues() {
    let mut xhr = Xhr::greeted(pace(NEVER, NEVER, NEVER)).await;
    let (mut first, mut second) = (xhr.poll(Kind::Polling), xhr.poll(Kind::Polling));
    let refusal = xhr.read(&mut second).await;
    assert_eq!(refusal.as_deref(), Some("c[2010,\"Another connection still open\"]\n"));
    assert_eq!(xhr.read(&mut second).await, None);
    xhr.outbox.send("a".into());
    assert_eq!(xhr.read(&mut first).await.as_deref(), Some("a[\"a\"]\n"));
}

#[tokio::test]
async fn a_poll_whose_answer_is_not_received_keeps_further_messages_in_the_outbox() {
    let mut xhr = Xhr::greeted(pace(NEVER, NEVER, NEVER)).await;
    xhr.outbox.send("a".into());
    let mut first = xhr.poll(Kind::Polling);
    // hyper takes the frame, and does not get rid of it.
    let driving = drive(&mut xhr.transport, &xhr.outbox);
    let taken = tokio::select! {
        _ = driving => panic!("the session has ended"),
        taken = first.next() => taken.unwrap().unwrap(),
    };
    assert_eq!(taken, "a[\"a\"]\n");
    xhr.outbox.send("b".into());
    for _ in 0..3 {
        let mut another = xhr.poll(Kind::Polling);
        let refusal = xhr.read(&mut another).await;
        assert_eq!(refusal.as_deref(), Some("c[2010,\"Another connection still open\"]\n"));
    }
    assert!(!xhr.outbox.is_empty());
    assert_eq!(xhr.read(&mut first).await, None);
    let mut next = xhr.poll(Kind::Polling);
    assert_eq!(xhr.read(&mut next).await.as_deref(), Some("a[\"b\"]\n"));
}

#[tokio::test]
async fn what_is_on_the_way_to_a_client_counts_towards_the_limits_of_the_outbox() {
    let limits = Limits { outbox_bytes: 2_000, ..Limits::default() };
    let outbox = Arc::new(Outbox::new(Link::Driver, &Arc::new(limits), &Arc::default()));
    outbox.note_on_the_way(1_500);
    outbox.send("x".repeat(400).into());
    assert_eq!(outbox.condition(), Condition::Good);
    outbox.send("x".repeat(400).into());
    assert_eq!(outbox.condition(), Condition::Overflowed);
}

#[tokio::test]
async fn few_bytes_are_on_the_way_to_a_session_that_does_not_take_them() {
    let xhr = Xhr::new(pace(NEVER, NEVER, NEVER));
    let half = "x".repeat(Limits::default().message_bytes / 2);
    for _ in 0..2 {
        assert!(xhr.client.post(Received::Frame(half.clone().into())).now_or_never().is_some());
    }
    assert!(xhr.client.post(Received::Garbage).now_or_never().is_none());
    drop(xhr.transport);
    assert!(matches!(xhr.client.post(Received::Garbage).now_or_never(), Some(Err(_))), "it waits for no ended session");
}

#[tokio::test]
async fn a_closed_session_answers_every_poll_with_a_close() {
    let mut xhr = Xhr::greeted(pace(NEVER, NEVER, NEVER)).await;
    xhr.outbox.send("last".into());
    xhr.transport.close(&xhr.outbox, Goodbye::new(3000, "Go away!"));
    let mut body = xhr.poll(Kind::Polling);
    assert_eq!(xhr.read(&mut body).await.as_deref(), Some("a[\"last\"]\n"));
    assert_eq!(xhr.read(&mut body).await, None);
    for kind in [Kind::Polling, Kind::Polling] {
        let mut body = xhr.poll(kind);
        assert_eq!(xhr.read(&mut body).await.as_deref(), Some("c[3000,\"Go away!\"]\n"));
        assert_eq!(xhr.read(&mut body).await, None);
    }
}

#[tokio::test]
async fn a_server_that_shuts_down_sends_a_close_and_ends_the_session() {
    let mut xhr = Xhr::greeted(pace(NEVER, NEVER, NEVER)).await;
    let mut body = xhr.poll(Kind::Streaming);
    xhr.read(&mut body).await.unwrap();
    // hyper asks for more when the client has received this.
    assert!(body.next().now_or_never().is_none());
    xhr.transport.close(&xhr.outbox, Goodbye::new(1001, "The server is shutting down"));
    assert!(xhr.is_broken_off().await);
    let farewell = body.next().await.unwrap().unwrap();
    assert_eq!(farewell, "c[1001,\"The server is shutting down\"]\n");
}

#[tokio::test]
async fn messages_arrive_in_order() {
    let mut xhr = Xhr::greeted(pace(NEVER, NEVER, NEVER)).await;
    for message in ["a", "b"] {
        assert!(xhr.client.post(Received::Frame(message.into())).await.is_ok());
    }
    for message in ["a", "b"] {
        let received = drive(&mut xhr.transport, &xhr.outbox).await;
        assert!(matches!(received, Some(Received::Frame(frame)) if frame == message));
    }
}

type Server = SockJsWebSocket<DuplexStream>;
type Client = WebSocketStream<DuplexStream>;

async fn websocket(pace: Pace) -> (Server, Client) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let server = SockJsWebSocket::new(near, Bytes::new(), 1 << 20, pace).await;
    let client = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
    (server, client)
}

#[tokio::test]
async fn a_websocket_that_answers_pings_stays_open() {
    let (mut server, mut client) = websocket(pace(SOON, SOON * 10, NEVER)).await;
    let outbox = outbox();
    let driving = drive(&mut server, &outbox);
    let reading = async {
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("o"));
        // tungstenite answers pings while it is read.
        for _ in 0..5 {
            assert!(client.next().await.unwrap().unwrap().is_ping());
        }
    };
    tokio::select! {
        _ = driving => panic!("the connection has ended"),
        () = reading => {}
    }
}

#[tokio::test]
async fn a_websocket_that_does_not_answer_pings_is_closed() {
    let (mut server, _client) = websocket(pace(SOON, SOON, NEVER)).await;
    let received = drive(&mut server, &outbox()).await;
    let expected = Goodbye::new(3000, "No response from heartbeat");
    assert!(matches!(received, Some(Received::Refused(goodbye)) if goodbye == expected));
}

#[tokio::test]
async fn the_messages_of_a_frame_are_received_one_by_one() {
    let (mut server, mut client) = websocket(pace(NEVER, NEVER, NEVER)).await;
    let outbox = outbox();
    for frame in ["", r#"["a",1,"b"]"#, r#""c""#] {
        client.send(Message::text(frame)).await.unwrap();
    }
    let mut received = Vec::new();
    for _ in 0..4 {
        received.push(match drive(&mut server, &outbox).await {
            Some(Received::Frame(frame)) => frame.to_string(),
            Some(Received::Garbage) => "garbage".to_owned(),
            _ => "the end".to_owned(),
        });
    }
    assert_eq!(received, ["a", "garbage", "b", "c"]);
}

#[tokio::test]
async fn messages_for_a_full_websocket_stay_in_the_outbox() {
    let (mut server, mut client) = websocket(pace(NEVER, NEVER, NEVER)).await;
    let outbox = outbox();
    let message = "x".repeat(60 << 10);
    for _ in 0..10 {
        outbox.send(message.clone().into());
    }
    let driving = drive(&mut server, &outbox);
    let reading = async {
        let mut bytes = 0;
        while bytes < 10 * message.len() {
            bytes += client.next().await.unwrap().unwrap().len();
        }
    };
    tokio::select! {
        _ = driving => panic!("the connection has ended"),
        () = reading => {}
    }
}
