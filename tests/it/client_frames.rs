//! The client library over a connection that fails frame by frame: a WebSocket proxy drops, delays, splits
//! and swaps frames at every point of a conversation.

use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::client_faults::{Runs, counting_server, hold_a_conversation};

/// Longer than the gap between two frames of one burst.
const A_WHILE: Duration = Duration::from_millis(15);

/// The fault of one frame.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The frame and all later ones are lost: TCP does not lose data in the middle.
    Lost,
    /// The frame and all later ones in its direction are delayed.
    Late,
    /// The frame arrives as two fragments.
    Split,
    /// The next frame arrives first, unless one depends on the other.
    Swapped,
}

const FAULTS: [Fault; 4] = [Fault::Lost, Fault::Late, Fault::Split, Fault::Swapped];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    ToClient,
    ToServer,
}

/// Where the fault occurs.
#[derive(Clone, Copy, Debug)]
struct Strike {
    fault: Fault,
    direction: Direction,
    /// The index of the frame in its direction, from 0.
    frame: usize,
}

type Outgoing = SplitSink<WebSocketStream<TcpStream>, Message>;
type Incoming = SplitStream<WebSocketStream<TcpStream>>;

/// Starts a proxy whose first connection has the fault, and returns its address. Later connections have none.
async fn proxy(server: SocketAddr, strike: Strike) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("ws://{}/websocket", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut strike = Some(strike);
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(carry(client, server, strike.take()));
        }
    });
    url
}

async fn carry(client: TcpStream, server: SocketAddr, strike: Option<Strike>) {
    client.set_nodelay(true).expect("a socket");
    let Ok(client) = tokio_tungstenite::accept_async(client).await else { return };
    let stream = TcpStream::connect(server).await.expect("a server");
    stream.set_nodelay(true).expect("a socket");
    let opened = tokio_tungstenite::client_async(format!("ws://{server}/websocket"), stream).await;
    let (to_server, from_server) = opened.expect("a server that upgrades").0.split();
    let (to_client, from_client) = client.split();
    let of = |direction| strike.filter(|strike| strike.direction == direction);
    // When one direction ends, both connections are cut.
    tokio::select! {
        () = hand_on(from_client, to_server, of(Direction::ToServer)) => {}
        () = hand_on(from_server, to_client, of(Direction::ToClient)) => {}
    }
}

/// Forwards frames until the end, or until one is lost.
async fn hand_on(mut from: Incoming, mut to: Outgoing, strike: Option<Strike>) {
    let mut count = 0;
    while let Some(Ok(frame)) = from.next().await {
        let fault = strike.filter(|strike| strike.frame == count).map(|strike| strike.fault);
        count += 1;
        let frames = match fault {
            None => vec![frame],
            Some(Fault::Lost) => return,
            Some(Fault::Late) => {
                sleep(A_WHILE).await;
                vec![frame]
            }
            Some(Fault::Split) => in_two(frame),
            Some(Fault::Swapped) => match timeout(A_WHILE, from.next()).await {
                Ok(Some(Ok(next))) if depends(&frame, &next) => vec![frame, next],
                Ok(Some(Ok(next))) => vec![next, frame],
                _ => vec![frame],
            },
        };
        for frame in frames {
            if to.send(frame).await.is_err() {
                return;
            }
        }
    }
}

fn in_two(frame: Message) -> Vec<Message> {
    let Message::Text(text) = frame else { return vec![frame] };
    let middle = text.len() / 2;
    let fragment =
        |bytes: &[u8], kind, is_last| Message::Frame(Frame::message(bytes.to_vec(), OpCode::Data(kind), is_last));
    let bytes = text.as_bytes();
    vec![fragment(&bytes[..middle], Data::Text, false), fragment(&bytes[middle..], Data::Continue, true)]
}

/// Returns whether the order of two frames matters: frames about one document, or that open or close a session.
fn depends(one: &Message, other: &Message) -> bool {
    let (Message::Text(one), Message::Text(other)) = (one, other) else { return true };
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let (one, other) = (read(one), read(other));
    let opens = |message: &Value| matches!(message["msg"].as_str(), Some("connect" | "connected" | "disconnect"));
    let is_of_one_document = !one["collection"].is_null() && one["id"] == other["id"];
    opens(&one) || opens(&other) || is_of_one_document
}

async fn strike_every_frame(direction: Direction, frames: usize) {
    let runs = Runs::default();
    let server = counting_server(&runs).await;
    for (round, fault) in FAULTS.into_iter().enumerate() {
        for frame in 0..frames {
            let strike = Strike { fault, direction, frame };
            let url = proxy(server.address, strike).await;
            hold_a_conversation(&server, &url, &runs, strike, (round * frames + frame) * 20).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faulty_frames_to_the_client_lose_no_call_and_repeat_none() {
    strike_every_frame(Direction::ToClient, 32).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faulty_frames_to_the_server_lose_no_call_and_repeat_none() {
    strike_every_frame(Direction::ToServer, 16).await;
}
