//! The two ends of a streamed HTTP response: the session's transport writes, hyper reads.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::task::AtomicWaker;
use parking_lot::Mutex;

/// The transport's end of a response. The response ends when it is dropped.
pub(super) struct ResponseWriter(Arc<Shared>);

/// The body of a response. It is dropped when the client has received everything or has closed the connection.
pub(super) struct ResponseBody(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    writer: AtomicWaker,
    reader: AtomicWaker,
}

#[derive(Default)]
struct State {
    /// The bytes that hyper has not read yet.
    unsent: Vec<u8>,
    ended: bool,
    gone: bool,
}

pub(super) fn response() -> (ResponseWriter, ResponseBody) {
    let shared = Arc::default();
    (ResponseWriter(Arc::clone(&shared)), ResponseBody(shared))
}

impl ResponseWriter {
    /// Returns whether hyper has read everything.
    pub(super) fn is_ready(&self) -> bool {
        self.0.state.lock().unsent.is_empty()
    }

    /// Ready when the client has closed the connection. Also wakes the task when hyper has read everything.
    pub(super) fn poll_gone(&self, context: &Context<'_>) -> Poll<()> {
        self.0.writer.register(context.waker());
        if self.0.state.lock().gone { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(super) fn write(&self, text: &str) {
        self.0.state.lock().unsent.extend_from_slice(text.as_bytes());
        self.0.reader.wake();
    }
}

impl Drop for ResponseWriter {
    fn drop(&mut self) {
        self.0.state.lock().ended = true;
        self.0.reader.wake();
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.reader.register(context.waker());
        let mut state = self.0.state.lock();
        if !state.unsent.is_empty() {
            let unsent = std::mem::take(&mut state.unsent);
            self.0.writer.wake();
            return Poll::Ready(Some(Ok(unsent.into())));
        }
        if state.ended { Poll::Ready(None) } else { Poll::Pending }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.0.state.lock().gone = true;
        self.0.writer.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures::StreamExt as _;

    use super::*;

    fn next(body: &mut ResponseBody) -> Poll<Option<Bytes>> {
        let item = body.poll_next_unpin(&mut Context::from_waker(Waker::noop()));
        item.map(|chunk| chunk.map(|chunk| chunk.unwrap()))
    }

    #[test]
    fn written_text_is_read_at_once_and_then_the_end() {
        let (writer, mut body) = response();
        assert_eq!(next(&mut body), Poll::Pending);
        writer.write("a");
        writer.write("b");
        assert!(!writer.is_ready());
        assert_eq!(next(&mut body), Poll::Ready(Some("ab".into())));
        assert!(writer.is_ready());
        writer.write("c");
        drop(writer);
        assert_eq!(next(&mut body), Poll::Ready(Some("c".into())));
        assert_eq!(next(&mut body), Poll::Ready(None));
    }

    #[test]
    fn the_writer_learns_that_the_reader_is_gone() {
        let (writer, body) = response();
        let context = Context::from_waker(Waker::noop());
        assert!(writer.poll_gone(&context).is_pending());
        drop(body);
        assert!(writer.poll_gone(&context).is_ready());
    }
}
