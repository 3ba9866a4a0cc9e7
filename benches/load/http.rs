//! An HTTP/1.1 client over one keep-alive connection that never sleeps: the caller polls it as fast as it can. It speaks just
//! what a load generator needs: a POST at a time, and an answer with a `content-length`.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::Failure;

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

pub(crate) struct HttpConnection {
    stream: TcpStream,
    address: SocketAddr,
    unsent: Vec<u8>,
    /// The beginning of an answer whose end has not come yet.
    received: Vec<u8>,
}

impl HttpConnection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, address, unsent: vec![], received: vec![] })
    }

    /// Sends a request; `headers` are whole lines.
    pub(crate) fn post(&mut self, path: &str, headers: &str, body: &str) -> Result<(), Failure> {
        write!(
            self.unsent,
            "POST {path} HTTP/1.1\r\nhost: {}\r\nuser-agent: bolide-load\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        )?;
        self.flush()
    }

    /// Reads once, without waiting; hands over the body of a whole answer, and says whether there was one.
    pub(crate) fn poll(&mut self, on_body: impl FnOnce(&[u8]) -> Result<(), Failure>) -> Result<bool, Failure> {
        self.flush()?;
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err("the server closed the connection".into()),
            Ok(length) => self.received.extend_from_slice(&buffer[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let Some((start, end)) = whole_answer(&self.received)? else { return Ok(false) };
        on_body(&self.received[start..end])?;
        self.received.drain(..end);
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Where the body of the first answer begins and ends, if it is complete; an error if it is anything but 200.
fn whole_answer(bytes: &[u8]) -> Result<Option<(usize, usize)>, Failure> {
    let Some(head) = bytes.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD) else {
        return Ok(None);
    };
    let start = head + END_OF_HEAD.len();
    let head = std::str::from_utf8(&bytes[..head])?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let end = start + length.ok_or_else(|| format!("an answer without a length: {head}"))?.parse::<usize>()?;
    if bytes.len() < end {
        return Ok(None);
    }
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("{head}: {}", String::from_utf8_lossy(&bytes[start..end])).into());
    }
    Ok(Some((start, end)))
}
