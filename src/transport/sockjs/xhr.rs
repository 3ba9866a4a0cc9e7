//! [`XhrTransport`]: a connection over HTTP requests. Some requests send messages. At most one other request is open
//! and receives frames: a poll receives one and ends, a stream continues until its limit.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bolide_protocol::sockjs;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep};

use super::messages;
use super::pace::Pace;
use super::poll_request::{PollRequest, RESPONSE_BYTES};
use super::registry::{NewSession, Place, Posted};
use super::response::Left;
use crate::figures::Carrier;
use crate::outbox::Outbox;
use crate::session::{Goodbye, Received, Transport};

/// The close code of a server that shuts down.
const GOING_AWAY: u16 = 1001;

/// The session's end of a connection over requests.
pub(crate) struct XhrTransport {
    /// Dropped first: when the queues below are closed, the entry in the registry has been removed.
    registered: Place,
    messages: mpsc::Receiver<Posted>,
    polls: mpsc::Receiver<PollRequest>,
    /// The open request, which receives frames. It stays open until the client has received what was written, so at most
    /// one frame is on the way to a client that does not read.
    open: Option<PollRequest>,
    greeted: bool,
    heartbeat_due: bool,
    /// The time of the next heartbeat, or the timeout for the next request.
    timer: Pin<Box<Sleep>>,
    pace: Pace,
    goodbye: Option<Goodbye>,
    /// Whether the client is gone, or has received everything.
    is_over: bool,
}

impl XhrTransport {
    pub(super) fn new(session: NewSession) -> Self {
        let NewSession { place, messages, polls, pace } = session;
        Self {
            registered: place,
            messages,
            polls,
            open: None,
            greeted: false,
            heartbeat_due: false,
            timer: Box::pin(sleep(pace.absence)),
            pace,
            goodbye: None,
            is_over: false,
        }
    }
}

impl Transport for XhrTransport {
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Received> {
        if self.is_over {
            return Poll::Ready(Received::Closed);
        }
        self.messages.poll_recv(context).map(|posted| posted.map_or(Received::Closed, Posted::take))
    }

    fn poll_send(&mut self, outbox: &Arc<Outbox>, context: &mut Context<'_>) {
        let is_gone = self.poll_open(outbox, context).is_ready();
        self.poll_requests(context);
        self.write_frames(outbox);
        self.watch_open(outbox, context);
        let is_absent = self.poll_timer(outbox, context).is_ready();
        if !self.is_over && (is_gone || is_absent || self.has_left()) {
            self.is_over = true;
            // While the outbox is congested, `poll_receive` is not called and cannot report the end.
            outbox.break_off();
            context.waker().wake_by_ref();
        }
    }

    fn buffered_bytes(&self) -> usize {
        self.registered.posted_bytes()
    }

    fn carrier(&self) -> Option<Carrier> {
        Some(Carrier::SockJsHttp)
    }

    fn needs_listener(&self) -> bool {
        true
    }

    fn close(&mut self, outbox: &Arc<Outbox>, goodbye: Goodbye) {
        self.goodbye = Some(goodbye);
        self.write_frames(outbox);
    }
}

impl XhrTransport {
    fn poll_requests(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(Some(request)) = self.polls.poll_recv(context) {
            if self.open.is_some() {
                request.refuse();
                continue;
            }
            self.open = Some(request);
            self.set_timer(self.pace.heartbeat);
        }
    }

    /// Ready when the client has closed the connection during a response, which means that it will not return.
    fn poll_open(&mut self, outbox: &Outbox, context: &Context<'_>) -> Poll<()> {
        let Some(open) = &self.open else { return Poll::Pending };
        let left = open.writer.poll_left(context);
        if left.is_ready() || open.writer.is_ready() {
            outbox.note_on_the_way(0);
        }
        match left {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Left::Early) => return Poll::Ready(()),
            Poll::Ready(Left::Complete) => {}
        }
        self.open = None;
        self.set_timer(self.pace.absence);
        Poll::Pending
    }

    /// Has the task woken when the open request can receive more, or has ended.
    fn watch_open(&self, outbox: &Outbox, context: &Context<'_>) {
        let Some(open) = &self.open else { return };
        let has_left = open.writer.poll_left(context).is_ready();
        // What happened before the task was registered does not wake it.
        if has_left || (open.is_ready() && !outbox.is_empty()) {
            context.waker().wake_by_ref();
        }
    }

    /// Ready when the client has not had an open request for too long, or does not receive the end of one.
    fn poll_timer(&mut self, outbox: &Outbox, context: &mut Context<'_>) -> Poll<()> {
        while self.timer.as_mut().poll(context).is_ready() {
            if self.open.as_ref().is_none_or(PollRequest::is_ended) {
                return Poll::Ready(());
            }
            self.heartbeat_due = true;
            self.set_timer(self.pace.heartbeat);
            self.write_frames(outbox);
        }
        Poll::Pending
    }

    fn set_timer(&mut self, duration: Duration) {
        self.timer.as_mut().reset(Instant::now() + duration);
    }

    /// Returns whether the transport has ended. A closed session answers further polls until its timeout, but a server
    /// that shuts down does not wait for them.
    fn has_left(&self) -> bool {
        let goes_away = self.goodbye.is_some_and(|goodbye| goodbye.code == GOING_AWAY);
        goes_away && self.open.as_ref().is_none_or(PollRequest::is_ended)
    }

    fn write_frames(&mut self, outbox: &Outbox) {
        while self.write_frame(outbox) {}
    }

    /// Writes a frame, if one is waiting and a request is open. Returns whether it did.
    fn write_frame(&mut self, outbox: &Outbox) -> bool {
        let Some(open) = self.open.as_mut().filter(|open| open.is_ready()) else {
            return false;
        };
        if !self.greeted {
            self.greeted = true;
            open.write(sockjs::OPEN.to_owned());
        } else if let Some(frame) = messages::take_frame(outbox, RESPONSE_BYTES) {
            outbox.note_on_the_way(frame.len());
            open.write(frame);
        } else if let Some(goodbye) = self.goodbye {
            open.write_last(sockjs::close(goodbye.code, goodbye.reason));
        } else if self.heartbeat_due {
            open.write(sockjs::HEARTBEAT.to_owned());
        } else {
            return false;
        }
        self.heartbeat_due = false;
        if open.is_ended() {
            self.set_timer(self.pace.absence);
        }
        true
    }
}
