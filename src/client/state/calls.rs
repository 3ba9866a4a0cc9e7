//! [`Calls`]: the calls without a result.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bolide_protocol::RawJson;
use bolide_protocol::ejson;
use bytestring::ByteString;
use tokio::sync::oneshot;

use crate::client::error::CallError;
use crate::client::options::Resend;

/// The result of a call: EJSON, or `None` if the method returns nothing.
pub(in crate::client) type Outcome = Result<Option<RawJson>, CallError>;

/// A call as the user of the client requests it.
#[derive(Debug)]
pub(in crate::client) struct Request<'call> {
    pub(in crate::client) method: &'call str,
    /// An array, with a second-factor code at its end if `carries_code`.
    pub(in crate::client) params: RawJson,
    pub(in crate::client) resend: Resend,
    pub(in crate::client) carries_code: bool,
    pub(in crate::client) purpose: Purpose,
}

/// Whether the client itself uses a call's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Purpose {
    /// Only the caller uses it.
    Any,
    /// It tells which user is signed in.
    LogIn,
    /// No user is signed in after it.
    LogOut,
}

/// A call without a result.
#[derive(Debug)]
pub(super) struct Pending {
    frame: ByteString,
    is_sent: bool,
    resend: Resend,
    carries_code: bool,
    pub(super) purpose: Purpose,
    reply: Reply,
}

/// What waits for the result.
#[derive(Debug)]
enum Reply {
    Caller(oneshot::Sender<Outcome>),
    /// The client itself, which signs in after a reconnection.
    Client,
}

/// The calls by id, which is the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pending: BTreeMap<u64, Pending>,
}

impl Calls {
    pub(super) fn add(&mut self, id: u64, request: &Request<'_>, reply: oneshot::Sender<Outcome>) {
        let pending = Pending {
            frame: frame(id, request.method, &request.params),
            is_sent: false,
            resend: request.resend,
            carries_code: request.carries_code,
            purpose: request.purpose,
            reply: Reply::Caller(reply),
        };
        self.pending.insert(id, pending);
    }

    /// Adds the client's own call, with which it signs in after a reconnection.
    pub(super) fn add_login(&mut self, id: u64, params: &RawJson) {
        let pending = Pending {
            frame: frame(id, "login", params),
            is_sent: false,
            // The next session gets its own login.
            resend: Resend::SameSession,
            carries_code: false,
            purpose: Purpose::LogIn,
            reply: Reply::Client,
        };
        self.pending.insert(id, pending);
    }

    pub(super) fn take(&mut self, id: u64) -> Option<Pending> {
        self.pending.remove(&id)
    }

    /// Returns the frame to send, or `None` if the caller is gone. From now on the call counts as sent.
    pub(super) fn send(&mut self, id: u64) -> Option<ByteString> {
        let pending = self.pending.get_mut(&id)?;
        pending.is_sent = true;
        Some(pending.frame.clone())
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u64> {
        self.pending.keys().copied()
    }

    /// Returns the id of the client's own login, if it waits for its result.
    pub(super) fn own_login(&self) -> Option<u64> {
        self.pending.iter().find(|(_, pending)| pending.is_own()).map(|(id, _)| *id)
    }

    /// Handles the loss of the connection: takes out the calls that must not be sent again, even in the same session.
    pub(super) fn lose_connection(&mut self) -> Vec<Pending> {
        self.take_those(|pending| pending.is_sent && pending.resend == Resend::Never)
    }

    /// Handles the loss of the session: takes out the calls that must not be sent again in another one.
    pub(super) fn lose_session(&mut self) -> Vec<Pending> {
        self.take_those(|pending| {
            let may_run_twice = pending.resend == Resend::Always && !pending.carries_code;
            pending.is_own() || pending.is_sent && !may_run_twice
        })
    }

    fn take_those(&mut self, are_over: impl Fn(&Pending) -> bool) -> Vec<Pending> {
        self.pending.extract_if(.., |_, pending| are_over(pending)).map(|(_, pending)| pending).collect()
    }

    pub(super) fn take_all(&mut self) -> Vec<Pending> {
        std::mem::take(&mut self.pending).into_values().collect()
    }
}

impl Pending {
    pub(super) const fn is_own(&self) -> bool {
        matches!(self.reply, Reply::Client)
    }

    pub(super) fn answer(self, outcome: Outcome) {
        if let Reply::Caller(caller) = self.reply {
            // The caller may have dropped its call.
            let _gone = caller.send(outcome);
        }
    }
}

/// Writes the frame without a serializer, because this runs for every call. Writing a string and a number does not
/// fail.
fn frame(id: u64, method: &str, params: &RawJson) -> ByteString {
    let mut frame = String::with_capacity(64 + method.len() + params.get().len());
    let _written = write!(frame, r#"{{"msg":"method","id":"{id}","method":"#);
    let _written = ejson::write(&mut frame, method);
    let _written = write!(frame, r#","params":{}}}"#, params.get());
    frame.into()
}
