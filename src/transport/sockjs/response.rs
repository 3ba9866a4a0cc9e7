//! The two ends of a streamed HTTP response: the session's transport writes, hyper reads.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::task::AtomicWaker;
use parking_lot::Mutex;

/// The transport's end of a response. The response ends when it is dropped, or by [`end`](Self::end).
pub(super) struct ResponseWriter(Arc<Shared>);

/// The body of a response. hyper drops it when it has sent everything or the client has closed the connection.
pub(super) struct ResponseBody(Arc<Shared>);

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// hyper has sent nearly everything: it asks for more only when little waits for the client.
    Complete,
    /// The client has closed the connection.
    Early,
}

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
    /// Whether hyper may still have most of what it has read.
    on_the_way: bool,
    ended: bool,
    left: Option<Left>,
}

pub(super) fn response() -> (ResponseWriter, ResponseBody) {
    let shared = Arc::default();
    (ResponseWriter(Arc::clone(&shared)), ResponseBody(shared))
}

impl ResponseWriter {
    /// Returns whether hyper has sent nearly everything.
    pub(super) fn is_ready(&self) -> bool {
        let state = self.0.state.lock();
        state.unsent.is_empty() && !state.on_the_way
    }

    /// Ready when the response has ended. Also wakes the task when hyper has sent nearly everything.
    pub(super) fn poll_left(&self, context: &Context<'_>) -> Poll<Left> {
        self.0.writer.register(context.waker());
        self.0.state.lock().left.map_or(Poll::Pending, Poll::Ready)
    }

    /// Ends the response after what was written.
    pub(super) fn end(&self) {
        self.0.state.lock().ended = true;
        self.0.reader.wake();
    }

    pub(super) fn write(&self, text: &str) {
        self.0.state.lock().unsent.extend_from_slice(text.as_bytes());
        self.0.reader.wake();
    }
}

impl Drop for ResponseWriter {
    fn drop(&mut self) {
        self.end();
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.reader.register(context.waker());
        let mut state = self.0.state.lock();
        if !state.unsent.is_empty() {
            let unsent = std::mem::take(&mut state.unsent);
            state.on_the_way = true;
            return Poll::Ready(Some(Ok(unsent.into())));
        }
        if state.ended {
            state.left = Some(Left::Complete);
        }
        if std::mem::take(&mut state.on_the_way) || state.ended {
            self.0.writer.wake();
        }
        if state.ended { Poll::Ready(None) } else { Poll::Pending }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.0.state.lock().left.get_or_insert(Left::Early);
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
        assert!(!writer.is_ready(), "hyper may still have it");
        assert_eq!(next(&mut body), Poll::Pending);
        assert!(writer.is_ready());
        writer.write("c");
        drop(writer);
        assert_eq!(next(&mut body), Poll::Ready(Some("c".into())));
        assert_eq!(next(&mut body), Poll::Ready(None));
    }

    #[test]
    fn the_writer_learns_how_the_reader_has_left() {
        let context = Context::from_waker(Waker::noop());
        for (ended, left) in [(true, Left::Complete), (false, Left::Early)] {
            let (writer, mut body) = response();
            if ended {
                writer.end();
            }
            assert!(writer.poll_left(&context).is_pending());
            let _end = next(&mut body);
            drop(body);
            assert_eq!(writer.poll_left(&context), Poll::Ready(left));
        }
    }
}
