//! [`Socket`]: an accepted connection with its share of the connections, and a timeout for a client that does not read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::shares::Share;

/// An accepted socket. HTTP and SockJS are served on it, and a raw WebSocket takes the stream out of it.
pub(crate) struct Socket<Stream = TcpStream> {
    stream: Stream,
    share: Share,
    write_timeout: Duration,
    /// The timeout of a write that waits for the client. Most sockets never need it.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<Stream> Socket<Stream> {
    pub(super) fn new(stream: Stream, share: Share, write_timeout: Duration) -> Self {
        Self { stream, share, write_timeout, stalled: None }
    }

    pub(super) fn into_parts(self) -> (Stream, Share) {
        (self.stream, self.share)
    }

    /// Passes on the outcome of a write, or of a flush, which waits over TLS. One that waits too long fails.
    fn limit<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<Stream: AsyncRead + Unpin> AsyncRead for Socket<Stream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<Stream: AsyncWrite + Unpin> AsyncWrite for Socket<Stream> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.limit(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.limit(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.limit(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.stream).poll_shutdown(context);
        self.limit(ended, context)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::clock::Timestamp;
    use crate::shares::{Maximum, Shares, Source};

    fn socket<Stream>(stream: Stream) -> Socket<Stream> {
        let maximum = Maximum { name: "connections", count: 1 };
        let share = Shares::new(maximum, maximum).take(Source::Unknown, Timestamp::from_milliseconds(0)).unwrap();
        Socket::new(stream, share, Duration::from_millis(50))
    }

    #[tokio::test]
    async fn a_write_that_the_client_does_not_read_fails() {
        let (near, _far) = tokio::io::duplex(10);
        let error = socket(near).write_all(&[0; 11]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_flush_that_the_client_does_not_read_fails_too() {
        let (near, _far) = tokio::io::duplex(10);
        let mut socket = socket(tokio::io::BufStream::new(near));
        // Kept until the flush, as TLS keeps what it has encrypted.
        socket.write_all(&[0; 11]).await.unwrap();
        assert_eq!(socket.flush().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn the_timeout_begins_again_when_the_client_reads() {
        let (near, mut far) = tokio::io::duplex(10);
        let mut socket = socket(near);
        for _ in 0..3 {
            socket.write_all(&[0; 10]).await.unwrap();
            assert!(socket.write(&[0]).now_or_never().is_none());
            assert!(socket.stalled.is_some());
            far.read_exact(&mut [0; 10]).await.unwrap();
        }
        socket.write_all(&[0; 10]).await.unwrap();
        assert!(socket.stalled.is_none());
    }
}
