//! [`Timer`]: the only timer of a session. It limits the time until `connect`, then drives the heartbeat, and finally
//! limits the time of a close or of the client's absence.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::limits::Heartbeat;

pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
    purpose: Purpose,
    /// Whether the client has sent a message since the timer was set.
    heard: bool,
    /// Whether the task will be woken when the timer expires.
    is_watched: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Connect,
    Quiet,
    AwaitPong,
    Close,
    Resume,
    Off,
}

/// The meaning of an expired timer.
pub(super) enum Expired {
    /// A `ping` has to be sent.
    Ping,
    /// The client did not connect, answer, close or return in time.
    Gone,
}

impl Timer {
    pub(super) fn connect(timeout: Duration) -> Self {
        Self { sleep: Box::pin(sleep(timeout)), purpose: Purpose::Connect, heard: false, is_watched: false }
    }

    /// Starts the heartbeat, or stops the timer if there is no heartbeat.
    pub(super) fn start_heartbeat(&mut self, heartbeat: Option<Heartbeat>) {
        match heartbeat {
            Some(heartbeat) if !heartbeat.interval.is_zero() => self.set(Purpose::Quiet, heartbeat.interval),
            _ => self.purpose = Purpose::Off,
        }
    }

    /// Starts the time that the session waits for its client.
    pub(super) fn start_grace(&mut self, grace: Duration) {
        self.set(Purpose::Resume, grace);
    }

    pub(super) fn start_close(&mut self, timeout: Duration) {
        self.set(Purpose::Close, timeout);
    }

    /// Notes that the client has sent a message.
    pub(super) fn hear(&mut self) {
        self.heard = true;
    }

    /// Returns whether the timer does not have to be polled again.
    pub(super) fn is_watched(&self) -> bool {
        self.is_watched || self.purpose == Purpose::Off
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>, heartbeat: Heartbeat) -> Poll<Expired> {
        while self.purpose != Purpose::Off && self.sleep.as_mut().poll(context).is_ready() {
            match self.purpose {
                Purpose::Quiet | Purpose::AwaitPong if self.heard => self.set(Purpose::Quiet, heartbeat.interval),
                Purpose::Quiet => {
                    self.set(Purpose::AwaitPong, heartbeat.timeout);
                    return Poll::Ready(Expired::Ping);
                }
                _ => {
                    self.purpose = Purpose::Off;
                    return Poll::Ready(Expired::Gone);
                }
            }
        }
        self.is_watched = true;
        Poll::Pending
    }

    fn set(&mut self, purpose: Purpose, duration: Duration) {
        self.purpose = purpose;
        self.heard = false;
        self.is_watched = false;
        self.sleep.as_mut().reset(Instant::now() + duration);
    }
}
