//! [`PollRequest`]: an HTTP request of a client that waits for frames.

use bolide_protocol::sockjs;

use super::response::ResponseWriter;

/// The number of bytes after which a stream ends, because browsers keep all of it in memory. This is Meteor's
/// `response_limit`. No further message is added to a frame of this length.
pub(super) const RESPONSE_BYTES: usize = 128 << 10;

/// The number of bytes that browsers buffer before they pass on a stream.
const PRELUDE_BYTES: usize = 2048;

/// The kind of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Polling,
    Streaming,
}

/// A request that waits for frames.
pub(super) struct PollRequest {
    pub(super) writer: ResponseWriter,
    /// The remaining bytes of the response. It ends with the frame that uses them up.
    room: usize,
}

impl PollRequest {
    pub(super) fn new(writer: ResponseWriter, kind: Kind) -> Self {
        match kind {
            Kind::Polling => Self { writer, room: 1 },
            Kind::Streaming => {
                let mut prelude = "h".repeat(PRELUDE_BYTES);
                prelude.push('\n');
                writer.write(&prelude);
                Self { writer, room: RESPONSE_BYTES }
            }
        }
    }

    /// Rejects a request because another one is open.
    pub(super) fn refuse(mut self) {
        self.write_last(sockjs::close(2010, "Another connection still open"));
    }

    /// Returns whether a frame can be written now: the previous one has been sent, and the response has not ended.
    pub(super) fn is_ready(&self) -> bool {
        !self.is_ended() && self.writer.is_ready()
    }

    /// Returns whether the response ends with what was written.
    pub(super) fn is_ended(&self) -> bool {
        self.room == 0
    }

    pub(super) fn write(&mut self, mut frame: String) {
        frame.push('\n');
        self.writer.write(&frame);
        self.room = self.room.saturating_sub(frame.len());
        if self.is_ended() {
            self.writer.end();
        }
    }

    pub(super) fn write_last(&mut self, frame: String) {
        self.room = 0;
        self.write(frame);
    }
}
