//! [`Connections`]: the open connections by their transport and state, and the sessions whose client is away.

use std::sync::Arc;

use super::{Figures, Level};

/// What carries the messages of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    WebSocket,
    SockJsWebSocket,
    SockJsHttp,
    /// A client in the same process.
    Memory,
}

/// The state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The client has not sent `connect`, or waits to resume another session.
    Connecting(Carrier),
    Open(Carrier),
    /// The closing frame was sent.
    Closing(Carrier),
    /// The connection is lost, and the client may return.
    Away,
    /// The session has ended. Its last calls may run.
    Ended,
}

const CARRIERS: [(Carrier, &str); 4] = [
    (Carrier::WebSocket, "websocket"),
    (Carrier::SockJsWebSocket, "sockjs_websocket"),
    (Carrier::SockJsHttp, "sockjs_http"),
    (Carrier::Memory, "memory"),
];

const STATES: [&str; 3] = ["connecting", "open", "closing"];

#[derive(Default)]
pub(crate) struct Connections {
    open: [[Level; STATES.len()]; CARRIERS.len()],
    away: Level,
}

/// A session as it is counted. It leaves when this is dropped.
pub(crate) struct Counted {
    figures: Arc<Figures>,
    standing: Standing,
    /// The messages that wait while its client is away.
    waiting: usize,
}

impl Connections {
    /// Returns the number of connections, with the names of their transport and state.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        CARRIERS.iter().zip(&self.open).flat_map(|((_, carrier), states)| {
            STATES.iter().zip(states).map(move |(state, level)| (*carrier, *state, level.get()))
        })
    }

    /// Returns the number of sessions whose client may return.
    pub(crate) fn away(&self) -> u64 {
        self.away.get()
    }

    fn level(&self, standing: Standing) -> Option<&Level> {
        Some(match standing {
            Standing::Connecting(carrier) => &self.open[carrier as usize][0],
            Standing::Open(carrier) => &self.open[carrier as usize][1],
            Standing::Closing(carrier) => &self.open[carrier as usize][2],
            Standing::Away => &self.away,
            Standing::Ended => return None,
        })
    }
}

impl Counted {
    pub(crate) const fn new(figures: Arc<Figures>) -> Self {
        Self { figures, standing: Standing::Ended, waiting: 0 }
    }

    /// Notes the state of the session.
    pub(crate) fn note(&mut self, standing: Standing) {
        if standing == self.standing {
            return;
        }
        let connections = &self.figures.connections;
        if let Some(level) = connections.level(standing) {
            level.rise();
        }
        if let Some(level) = connections.level(self.standing) {
            level.fall();
        }
        self.standing = standing;
        if standing != Standing::Away {
            self.note_waiting(0);
        }
    }

    /// Notes how many messages wait while the client is away.
    pub(crate) fn note_waiting(&mut self, messages: usize) {
        if messages != self.waiting {
            self.figures.absences.messages.change(self.waiting, messages);
            self.waiting = messages;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.note(Standing::Ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_counted_once_in_each_state_and_not_after_its_end() {
        let figures = Arc::new(Figures::default());
        let counted = |figures: &Figures| -> Vec<_> {
            let open = figures.connections.list().filter(|(_, _, count)| *count > 0);
            open.map(|(carrier, state, count)| format!("{count} {carrier} {state}")).collect()
        };
        let mut session = Counted::new(Arc::clone(&figures));
        assert!(counted(&figures).is_empty());
        for _ in 0..2 {
            session.note(Standing::Connecting(Carrier::SockJsHttp));
            assert_eq!(counted(&figures), ["1 sockjs_http connecting"]);
        }
        session.note(Standing::Open(Carrier::WebSocket));
        let _other = {
            let mut other = Counted::new(Arc::clone(&figures));
            other.note(Standing::Open(Carrier::WebSocket));
            other
        };
        assert_eq!(counted(&figures), ["2 websocket open"]);
        session.note(Standing::Away);
        assert_eq!((counted(&figures).len(), figures.connections.away()), (1, 1));
        for messages in [3, 5, 4] {
            session.note_waiting(messages);
        }
        assert_eq!(figures.absences.messages(), 4);
        drop(session);
        assert_eq!((figures.connections.away(), figures.absences.messages()), (0, 0));
    }

    #[test]
    fn each_transport_has_its_own_name() {
        for (place, (carrier, _)) in CARRIERS.iter().enumerate() {
            assert_eq!(*carrier as usize, place);
        }
    }
}
