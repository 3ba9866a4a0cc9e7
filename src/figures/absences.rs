//! [`Absences`]: the sessions whose client is away, what waits for them, and how the absences end.

use super::{Count, Level};
use crate::named::named;

named! {
    /// How the absence of a client has ended.
    pub(crate) enum Absence {
        /// The client has resumed its session.
        Resumed = "resumed",
        /// The client did not return in time.
        Expired = "expired",
        /// More waited for the client than a limit allows.
        Overflowed = "overflowed",
        /// The client has returned, but messages or its login were missing, so that it has a new session.
        Refused = "refused",
        /// The server has closed the session: it shuts down, or the application has closed the connection.
        Closed = "closed",
    }
}

#[derive(Default)]
pub(crate) struct Absences {
    /// The messages that wait for clients that are away.
    pub(super) messages: Level,
    ended: [Count; Absence::ALL.len()],
}

impl Absences {
    /// Counts an absence that has ended.
    pub(crate) fn count(&self, end: Absence) {
        self.ended[end as usize].one();
    }

    /// Returns the number of messages that wait for clients that are away.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.get()
    }

    /// Returns the number of absences that have ended, with the names of their ends.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Absence::ALL.iter().zip(&self.ended).map(|(end, count)| (end.as_str(), count.get()))
    }
}
