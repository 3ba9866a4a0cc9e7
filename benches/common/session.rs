//! A DDP session on the client's side: opened without waiting, then polled for messages.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Failure;
use crate::websocket::{ReadBuffer, WebSocket};

/// How many sessions are being opened at the same time when many are wanted.
const OPENING_AT_ONCE: usize = 32;

/// No server here takes this long for anything, so a silence of this length is a lost answer.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Upgrading,
    Connecting,
    Connected,
}

pub(crate) struct Session {
    socket: WebSocket,
    stage: Stage,
}

impl Session {
    /// Begins to open a session; polling it does the rest.
    pub(crate) fn start(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { socket: WebSocket::start(stream, address)?, stage: Stage::Upgrading })
    }

    /// Opens one session and waits for it.
    pub(crate) fn open(address: SocketAddr, buffer: &mut ReadBuffer) -> Result<Self, Failure> {
        let mut session = Self::start(address)?;
        let silence = Silence::begins();
        while !session.is_connected() {
            session.poll(buffer, |text| Err(unexpected(text)))?;
            silence.check("a session was not opened")?;
        }
        Ok(session)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.stage == Stage::Connected
    }

    /// Whether the server has said good-bye.
    pub(crate) fn is_closed(&self) -> bool {
        self.socket.is_closed()
    }

    /// Puts a message behind those that wait. [`Session::flush`] sends them all in one write.
    pub(crate) fn queue(&mut self, text: &str) {
        self.socket.queue_text(text);
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.socket.flush()
    }

    pub(crate) fn send(&mut self, text: &str) -> Result<(), Failure> {
        self.queue(text);
        self.flush()
    }

    /// Leaves as a Meteor 3.5 client does: `disconnect`, so that the server keeps nothing for a
    /// resumption.
    pub(crate) fn send_close(&mut self) -> Result<(), Failure> {
        self.queue(r#"{"msg":"disconnect"}"#);
        self.socket.queue_close();
        self.flush()
    }

    /// Leaves and waits until the server has said good-bye too.
    pub(crate) fn close(mut self, buffer: &mut ReadBuffer) -> Result<(), Failure> {
        self.send_close()?;
        let silence = Silence::begins();
        while !self.is_closed() {
            self.poll_closing(buffer)?;
            silence.check("a session was not closed")?;
        }
        Ok(())
    }

    /// Polls a session that has been left: what still comes is of no interest.
    pub(crate) fn poll_closing(&mut self, buffer: &mut ReadBuffer) -> Result<(), Failure> {
        self.socket.poll(buffer, |_| Ok(())).map(drop)
    }

    /// Reads once, without waiting; answers pings, finishes the opening, hands over all other
    /// messages. Gives the number of bytes read.
    pub(crate) fn poll(
        &mut self,
        buffer: &mut ReadBuffer,
        mut on_message: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        let Self { socket, stage } = self;
        let mut pings = 0;
        let read = socket.poll(buffer, |text| {
            if text.starts_with(br#"{"msg":"ping""#) {
                pings += 1;
            } else if *stage == Stage::Connecting {
                Message::parse(text)?.expect("connected")?;
                *stage = Stage::Connected;
            } else {
                on_message(text)?;
            }
            Ok(())
        })?;
        if read > 0 {
            self.go_on(pings)?;
        }
        if self.is_closed() {
            return Err("the server closed a session".into());
        }
        Ok(read)
    }

    fn go_on(&mut self, pings: usize) -> Result<(), Failure> {
        for _ in 0..pings {
            self.send(r#"{"msg":"pong"}"#)?;
        }
        if self.stage == Stage::Upgrading && self.socket.is_upgraded() {
            self.stage = Stage::Connecting;
            self.send(r#"{"msg":"connect","version":"1","support":["1","pre2","pre1"]}"#)?;
        }
        Ok(())
    }
}

/// Opens many sessions, some at the same time; `on_opened` learns how long each took.
pub(crate) fn open_many(
    address: SocketAddr,
    count: usize,
    buffer: &mut ReadBuffer,
    mut on_opened: impl FnMut(Duration),
) -> Result<Vec<Session>, Failure> {
    let mut opened = Vec::with_capacity(count);
    let mut opening: Vec<(Session, Instant)> = Vec::with_capacity(OPENING_AT_ONCE);
    let mut silence = Silence::begins();
    while opened.len() < count {
        while opening.len() < OPENING_AT_ONCE && opened.len() + opening.len() < count {
            opening.push((Session::start(address)?, Instant::now()));
        }
        for (session, _) in &mut opening {
            session.poll(buffer, |text| Err(unexpected(text)))?;
        }
        for (session, started) in opening.extract_if(.., |(session, _)| session.is_connected()) {
            on_opened(started.elapsed());
            opened.push(session);
            silence = Silence::begins();
        }
        silence.check("a session was not opened")?;
    }
    Ok(opened)
}

/// Notices when a server stops answering.
pub(crate) struct Silence(Instant);

impl Silence {
    pub(crate) fn begins() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn check(&self, what: &str) -> Result<(), Failure> {
        if self.0.elapsed() > LONGEST_SILENCE {
            return Err(format!("{what} within {} s", LONGEST_SILENCE.as_secs()).into());
        }
        Ok(())
    }
}

/// The words of a message from the server that some scenario looks at.
#[derive(Deserialize)]
pub(crate) struct Message<'text> {
    pub(crate) msg: &'text str,
    pub(crate) id: Option<&'text str>,
    pub(crate) collection: Option<&'text str>,
    #[serde(default, borrow)]
    pub(crate) methods: Vec<&'text str>,
    #[serde(default, borrow)]
    pub(crate) subs: Vec<&'text str>,
    #[serde(borrow)]
    pub(crate) fields: Option<&'text RawValue>,
    #[serde(borrow)]
    pub(crate) result: Option<&'text RawValue>,
    #[serde(borrow)]
    pub(crate) error: Option<&'text RawValue>,
}

impl<'text> Message<'text> {
    pub(crate) fn parse(text: &'text [u8]) -> Result<Self, Failure> {
        serde_json::from_slice(text)
            .map_err(|error| format!("cannot be read ({error}): {}", String::from_utf8_lossy(text)).into())
    }

    fn expect(&self, msg: &str) -> Result<(), Failure> {
        if self.msg == msg {
            return Ok(());
        }
        Err(format!("expected `{msg}`, got `{}`", self.msg).into())
    }

    /// Whether this says that the server has no such publication.
    pub(crate) fn is_unknown_publication(&self) -> bool {
        #[derive(Deserialize)]
        struct Refusal {
            error: serde_json::Value,
        }
        let refusal = self.error.map(|error| serde_json::from_str::<Refusal>(error.get()));
        self.msg == "nosub" && matches!(refusal, Some(Ok(refusal)) if refusal.error == 404)
    }
}

/// A message from the server that has no place where it came.
pub(crate) fn unexpected(text: &[u8]) -> Failure {
    format!("unexpected message: {}", String::from_utf8_lossy(text)).into()
}
