//! HTTP requests without a library: one at a time, or many in a row without waiting for an answer.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::attack::Attack;
use crate::network::Route;

/// What an answer begins with.
const VERSION: &[u8] = b"HTTP/1.1 ";

/// How many bytes of requests are written at once.
const BATCH: usize = 64 * 1024;

/// The text of a request; `headers` are whole lines.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// Sends one request over a connection of its own, and returns the status of the answer once all of it has come.
pub(crate) fn exchange(route: Route, method: &str, path: &str, body: &str) -> Result<u16, Failure> {
    let mut stream = route.dial()?;
    let deadline = Instant::now() + route.patience;
    send(&mut stream, request(method, path, "connection: close\r\n", body).as_bytes(), deadline)?;
    let mut statuses = Statuses::default();
    let mut buffer = [0; 16 * 1024];
    let mut status = None;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => statuses.take(&buffer[..length], |found| status = Some(found)),
            Err(error) => wait_on(error, deadline)?,
        }
    }
    status.ok_or_else(|| "the server closed the connection".into())
}

/// Sends one request, and leaves the connection to be held without waiting for an answer.
pub(crate) fn send_only(route: Route, method: &str, path: &str, body: &str) -> Result<TcpStream, Failure> {
    let mut stream = route.dial()?;
    send(&mut stream, request(method, path, "", body).as_bytes(), Instant::now() + route.patience)?;
    Ok(stream)
}

/// Sends requests without waiting for their answers, which are counted meanwhile. After a connection is lost, the next
/// request is sent over another.
pub(crate) fn pipeline(attack: &Attack, requests: impl Iterator<Item = String>) {
    let mut requests = requests.peekable();
    while requests.peek().is_some() {
        if let Err(_lost) = send_until_lost(attack, &mut requests) {
            attack.note_refused(1);
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn send_until_lost(attack: &Attack, requests: &mut impl Iterator<Item = String>) -> Result<(), Failure> {
    let mut stream = attack.route().dial()?;
    let reader = stream.try_clone()?;
    thread::scope(|scope| {
        scope.spawn(|| count_answers(attack, reader));
        let mut batch = vec![];
        loop {
            batch.clear();
            let mut count = 0;
            while batch.len() < BATCH
                && let Some(request) = requests.next()
            {
                batch.extend_from_slice(request.as_bytes());
                count += 1;
            }
            if count == 0 {
                return Ok(());
            }
            attack.note_sent(count);
            send(&mut stream, &batch, Instant::now() + attack.route().patience)?;
        }
    })
}

fn count_answers(attack: &Attack, mut stream: TcpStream) {
    let mut statuses = Statuses::default();
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => statuses.take(&buffer[..length], |status| {
                if !is_success(status) {
                    attack.note_refused(1);
                }
            }),
            Err(error) if is_wait(&error) => {}
            Err(_) => return,
        }
    }
}

pub(crate) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn send(stream: &mut TcpStream, mut bytes: &[u8], deadline: Instant) -> Result<(), Failure> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) => wait_on(error, deadline)?,
        }
    }
    Ok(())
}

fn wait_on(error: std::io::Error, deadline: Instant) -> Result<(), Failure> {
    if !is_wait(&error) || Instant::now() > deadline {
        return Err(error.into());
    }
    Ok(())
}

fn is_wait(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Finds the status of each answer in a stream, wherever its pieces begin and end.
#[derive(Default)]
pub(crate) struct Statuses {
    /// The end of the last piece, in which the beginning of an answer may be.
    rest: Vec<u8>,
}

impl Statuses {
    pub(crate) fn take(&mut self, bytes: &[u8], mut on_status: impl FnMut(u16)) {
        const DIGITS: usize = 3;
        self.rest.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(found) = find(&self.rest[from..], VERSION) {
            let start = from + found + VERSION.len();
            let Some(digits) = self.rest.get(start..start + DIGITS) else {
                from += found;
                self.rest.drain(..from);
                return;
            };
            if let Some(status) = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()) {
                on_status(status);
            }
            from = start + DIGITS;
        }
        let kept = from.max((self.rest.len() + 1).saturating_sub(VERSION.len()));
        self.rest.drain(..kept);
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
