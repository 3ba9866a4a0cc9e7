//! [`Socket`]: an open WebSocket, and the handshake that opens a session on it.

use std::time::Duration;

use bolide_protocol::message::ConnectRequest;
use bolide_protocol::version::Version;
use bolide_protocol::{ClientMessage, ServerMessage};
use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderName, HeaderValue};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};

use super::destination::Destination;
use super::error::ConnectError;
use super::stream::Stream;

const READ_BUFFER: usize = 32 * 1024;
const WRITE_BUFFER: usize = 32 * 1024;

pub(super) type Socket = WebSocketStream<Stream>;

/// A socket on which the server has opened a session.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) socket: Socket,
    pub(super) session: String,
    pub(super) version: Version,
}

/// Opens a WebSocket and a session on it. `request` names the session to resume, if the server supports that.
pub(super) async fn connect(
    destination: &Destination,
    request: impl Fn(Version) -> ConnectRequest,
) -> Result<Connected, ConnectError> {
    let attempt = agree_on_version(destination, request);
    let patience: Duration = destination.options.connect_timeout;
    tokio::time::timeout(patience, attempt).await.unwrap_or(Err(ConnectError::Timeout(patience)))
}

/// A server that does not support the requested version proposes another and closes the connection.
async fn agree_on_version(
    destination: &Destination,
    request: impl Fn(Version) -> ConnectRequest,
) -> Result<Connected, ConnectError> {
    let mut version = Version::One;
    for _ in Version::SUPPORTED {
        let mut socket = open(destination).await?;
        match open_session(&mut socket, request(version)).await? {
            Answer::Connected(session) => return Ok(Connected { socket, session, version }),
            Answer::Failed(proposal) => {
                let known = Version::parse(&proposal).filter(|known| *known != version);
                version = known.ok_or(ConnectError::Version(proposal))?;
            }
        }
    }
    Err(ConnectError::Version(version.to_string()))
}

enum Answer {
    Connected(String),
    Failed(String),
}

async fn open_session(socket: &mut Socket, request: ConnectRequest) -> Result<Answer, ConnectError> {
    let frame = ClientMessage::Connect(request).to_frame();
    socket.send(Message::text(frame)).await.map_err(|_| ConnectError::ClosedEarly)?;
    // Older servers send a greeting before the answer.
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        match ServerMessage::parse(&text) {
            Ok(ServerMessage::Connected { session }) => return Ok(Answer::Connected(session)),
            Ok(ServerMessage::Failed { version }) => return Ok(Answer::Failed(version)),
            _ => {}
        }
    }
    Err(ConnectError::ClosedEarly)
}

async fn open(destination: &Destination) -> Result<Socket, ConnectError> {
    let request = upgrade_request(destination)?;
    let stream = Stream::open(&destination.address, destination.options.tls.as_ref()).await?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(destination.options.limits.message_size))
        .max_frame_size(Some(destination.options.limits.message_size));
    let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
    opened.map(|(socket, _)| socket).map_err(|error| refused(&error))
}

fn upgrade_request(destination: &Destination) -> Result<Request, ConnectError> {
    let mut request = destination.address.uri().into_client_request().map_err(|error| refused(&error))?;
    for (name, value) in &destination.options.headers {
        let header = || ConnectError::Header(name.clone());
        let value: HeaderValue = value.parse().map_err(|_| header())?;
        let name: HeaderName = name.parse().map_err(|_| header())?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

fn refused(error: &tungstenite::Error) -> ConnectError {
    match error {
        tungstenite::Error::Http(answer) => {
            ConnectError::WebSocket(format!("it answered with status {}", answer.status()))
        }
        other => ConnectError::WebSocket(other.to_string()),
    }
}
