//! A SockJS connection over HTTP, as browsers use it where WebSockets are blocked: requests that the server answers when
//! it has messages, and requests that carry those of the client.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::client::http::HttpClient;

/// The maximum number of frames that wait to be read.
const WAITING: usize = 64;

/// The number of characters before the first frame of a stream, which some browsers do not show to a page.
const PRELUDE: usize = 2048;

/// The maximum length of a frame that is not complete yet, in bytes.
const LONGEST_FRAME: usize = 64 << 20;

/// How the server's frames arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receiving {
    /// One frame for each request.
    Polling,
    /// Many frames in the answer to one request.
    Streaming,
}

/// A session over HTTP. Dropping it gives up the request that waits for frames.
#[derive(Debug)]
pub(super) struct Xhr {
    session: Session,
    frames: mpsc::Receiver<String>,
    polls: JoinHandle<()>,
}

/// Where the requests of a session go.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) http: HttpClient,
    /// The address of the session, such as `http://localhost:3000/sockjs/000/one`.
    pub(super) address: String,
    /// The headers of each request.
    pub(super) headers: HeaderMap,
}

impl Xhr {
    /// Starts to ask for frames. The first one opens the session.
    pub(super) fn open(session: Session, receiving: Receiving) -> Self {
        let (sender, frames) = mpsc::channel(WAITING);
        let polls = tokio::spawn(ask(session.clone(), receiving, sender));
        Self { session, frames, polls }
    }

    /// Waits for the next frame. Returns `None` if the server has ended the session without one, and the reason as a text
    /// that is not a frame if it breaks the protocol.
    pub(super) async fn frame(&mut self) -> Option<String> {
        self.frames.recv().await
    }

    /// Sends a payload.
    ///
    /// # Errors
    /// Returns an error if the server answers in another way than it should, but not if the session has ended.
    pub(super) async fn send(&self, payload: String) -> Result<(), String> {
        let request = self.session.request("xhr_send", payload)?;
        match self.session.http.send(request).await {
            Ok(answer) if answer.status() == StatusCode::NO_CONTENT => Ok(()),
            // The session has ended, or ends because of this payload.
            Ok(answer) if [StatusCode::NOT_FOUND, StatusCode::PAYLOAD_TOO_LARGE].contains(&answer.status()) => Ok(()),
            Ok(answer) => Err(format!("xhr_send is answered with {}, not with 204", answer.status())),
            Err(_) => Ok(()),
        }
    }

    /// Stops asking for frames.
    pub(super) fn close(&mut self) {
        self.polls.abort();
        self.frames.close();
    }
}

impl Drop for Xhr {
    fn drop(&mut self) {
        self.polls.abort();
    }
}

impl Session {
    fn request(&self, endpoint: &str, body: String) -> Result<Request<String>, String> {
        let request = Request::builder().method("POST").uri(format!("{}/{endpoint}", self.address));
        let mut request = request.header(CONTENT_TYPE, "text/plain;charset=UTF-8").body(body).map_err(as_text)?;
        request.headers_mut().extend(self.headers.clone());
        Ok(request)
    }
}

async fn ask(session: Session, receiving: Receiving, frames: mpsc::Sender<String>) {
    loop {
        let asked = match receiving {
            Receiving::Polling => poll(&session, &frames).await,
            Receiving::Streaming => stream(&session, &frames).await,
        };
        match asked {
            Ok(Next::Ask) => {}
            Ok(Next::End) => return,
            Err(reason) => {
                // The reader may have left.
                frames.send(reason).await.unwrap_or_default();
                return;
            }
        }
    }
}

enum Next {
    Ask,
    End,
}

async fn poll(session: &Session, frames: &mpsc::Sender<String>) -> Result<Next, String> {
    let Ok(answer) = session.http.send(session.request("xhr", String::new())?).await else {
        return Ok(Next::End);
    };
    is_ok("xhr", answer.status())?;
    let body = String::from_utf8_lossy(answer.body());
    match body.strip_suffix('\n') {
        Some(frame) if !frame.contains('\n') => Ok(forward(frame, frames).await),
        _ => Err(format!("xhr is answered with {body:?}, which is not one frame and the end of its line")),
    }
}

async fn stream(session: &Session, frames: &mpsc::Sender<String>) -> Result<Next, String> {
    let Ok(answer) = session.http.open(session.request("xhr_streaming", String::new())?).await else {
        return Ok(Next::End);
    };
    is_ok("xhr_streaming", answer.status())?;
    let mut body = answer.into_body();
    let mut received = Vec::new();
    let mut has_begun = false;
    while let Some(Ok(part)) = body.frame().await {
        received.extend_from_slice(part.data_ref().map_or(&[][..], |data| data));
        while let Some(end) = received.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = received.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line[..end]).into_owned();
            if has_begun {
                if matches!(forward(&line, frames).await, Next::End) {
                    return Ok(Next::End);
                }
            } else if line.len() < PRELUDE || line.chars().any(|character| character != 'h') {
                return Err(format!("xhr_streaming begins with {line:.40?}, not with {PRELUDE} times `h`"));
            }
            has_begun = true;
        }
        if received.len() > LONGEST_FRAME {
            return Err(format!("xhr_streaming sends a frame of more than {LONGEST_FRAME} bytes"));
        }
    }
    if has_begun {
        Ok(Next::Ask)
    } else {
        Err("xhr_streaming is answered without the characters at its beginning".into())
    }
}

/// Hands a frame to the reader. The frame `c` ends the session.
async fn forward(frame: &str, frames: &mpsc::Sender<String>) -> Next {
    let has_left = frames.send(frame.to_owned()).await.is_err();
    if has_left || frame.starts_with('c') { Next::End } else { Next::Ask }
}

fn is_ok(endpoint: &str, status: StatusCode) -> Result<(), String> {
    if status == StatusCode::OK { Ok(()) } else { Err(format!("{endpoint} is answered with {status}, not with 200")) }
}

fn as_text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
