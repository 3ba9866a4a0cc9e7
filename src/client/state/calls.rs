//! [`Calls`]: the calls that have no answer yet.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bolide_protocol::RawJson;
use bolide_protocol::ejson;
use bytestring::ByteString;
use tokio::sync::oneshot;

use crate::client::error::CallError;
use crate::client::options::Resend;

/// What the server gives back: EJSON, or nothing.
pub(in crate::client) type Outcome = Result<Option<RawJson>, CallError>;

/// A call as a user asks for it.
#[derive(Debug)]
pub(in crate::client) struct Request<'call> {
    pub(in crate::client) method: &'call str,
    /// An array, without a code of a second factor.
    pub(in crate::client) params: RawJson,
    pub(in crate::client) resend: Resend,
    pub(in crate::client) carries_code: bool,
    pub(in crate::client) purpose: Purpose,
}

/// Whether a call's result concerns the client itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Purpose {
    /// It concerns the caller alone.
    Any,
    /// It says who is signed in from now on.
    LogIn,
    /// Nobody is signed in after it.
    LogOut,
}

/// A call that has no answer yet.
#[derive(Debug)]
pub(super) struct Pending {
    frame: ByteString,
    is_sent: bool,
    resend: Resend,
    carries_code: bool,
    pub(super) purpose: Purpose,
    reply: Reply,
}

/// Who waits for the answer.
#[derive(Debug)]
enum Reply {
    Caller(oneshot::Sender<Outcome>),
    /// The client itself, which signs in again after a reconnection.
    Client,
}

/// The calls by id: in the order in which they were made.
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

    /// The client's own call, by which it signs in again.
    pub(super) fn add_login(&mut self, id: u64, params: &RawJson) {
        let pending = Pending {
            frame: frame(id, "login", params),
            is_sent: false,
            // The next session gets a login of its own.
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

    /// The message to send, unless the caller has gone. From now on the server may have it.
    pub(super) fn send(&mut self, id: u64) -> Option<ByteString> {
        let pending = self.pending.get_mut(&id)?;
        pending.is_sent = true;
        Some(pending.frame.clone())
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u64> {
        self.pending.keys().copied()
    }

    /// The client's own login that has no answer yet.
    pub(super) fn own_login(&self) -> Option<u64> {
        self.pending.iter().find(|(_, pending)| pending.is_own()).map(|(id, _)| *id)
    }

    /// The connection is lost. Takes out the calls that must not be sent again even if the session goes on.
    pub(super) fn lose_connection(&mut self) -> Vec<Pending> {
        self.take_those(|pending| pending.is_sent && pending.resend == Resend::Never)
    }

    /// The session is lost. Takes out the calls that must not be sent again in another one.
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
            // A caller that is gone wants no answer.
            let _gone = caller.send(outcome);
        }
    }
}

/// Written by hand, because it is done for every call. A name and a number are always written well.
fn frame(id: u64, method: &str, params: &RawJson) -> ByteString {
    let mut frame = String::with_capacity(64 + method.len() + params.get().len());
    let _written = write!(frame, r#"{{"msg":"method","id":"{id}","method":"#);
    let _written = ejson::write(&mut frame, method);
    let _written = write!(frame, r#","params":{}}}"#, params.get());
    frame.into()
}
