//! Method calls: some connections, each with a window of calls under way.
//!
//! A window is sent in one write. When every call of it has been answered, the connection sends the
//! next.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::{Load, Target};
use crate::Failure;
use crate::latencies::Latencies;
use crate::measurement::Work;
use crate::session::{Message, Session, Silence, open_many, unexpected};
use crate::websocket::ReadBuffer;

pub(super) fn one_outstanding(target: &Target) -> Result<Box<dyn Load>, Failure> {
    Calls::prepare(target, 32, 1)
}

pub(super) fn pipelined(target: &Target) -> Result<Box<dyn Load>, Failure> {
    Calls::prepare(target, 8, 16)
}

struct Calls {
    callers: Vec<Caller>,
    buffer: ReadBuffer,
}

impl Calls {
    fn prepare(target: &Target, connections: usize, window: usize) -> Result<Box<dyn Load>, Failure> {
        let mut buffer = ReadBuffer::new();
        let sessions = open_many(target.address, connections, &mut buffer, drop)?;
        let callers = sessions.into_iter().map(|session| Caller::new(session, window)).collect();
        Ok(Box::new(Self { callers, buffer }))
    }
}

impl Load for Calls {
    fn run(&mut self, duration: Duration) -> Result<Work, Failure> {
        let Self { callers, buffer } = self;
        let mut latencies = Latencies::default();
        let end = Instant::now() + duration;
        let mut silence = Silence::begins();
        for caller in &mut *callers {
            caller.send_window()?;
        }
        while callers.iter().any(|caller| !caller.is_done()) {
            for caller in &mut *callers {
                if caller.poll(buffer, &mut latencies)? > 0 {
                    silence = Silence::begins();
                    if caller.is_done() && Instant::now() < end {
                        caller.send_window()?;
                    }
                }
            }
            silence.check("a call was not answered")?;
        }
        Ok(Work { units: latencies.count(), latencies, ..Work::default() })
    }
}

struct Caller {
    session: Session,
    window: usize,
    /// The calls of this window, in the order of their ids.
    calls: Vec<Call>,
    unanswered: usize,
    first_id: usize,
    sent_at: Instant,
    text: String,
}

#[derive(Default)]
struct Call {
    updated: bool,
    result: bool,
}

impl Caller {
    fn new(session: Session, window: usize) -> Self {
        Self {
            session,
            window,
            calls: Vec::with_capacity(window),
            unanswered: 0,
            first_id: 1,
            sent_at: Instant::now(),
            text: String::new(),
        }
    }

    fn is_done(&self) -> bool {
        self.unanswered == 0
    }

    fn send_window(&mut self) -> Result<(), Failure> {
        self.sent_at = Instant::now();
        for id in self.first_id..self.first_id + self.window {
            let (a, b) = params(id);
            self.text.clear();
            write!(self.text, r#"{{"msg":"method","method":"add","params":[{a},{b}],"id":"{id}"}}"#)?;
            self.session.queue(&self.text);
            self.calls.push(Call::default());
        }
        self.unanswered = self.window;
        self.session.flush()
    }

    /// Takes what answers have come and says how many calls they complete.
    fn poll(&mut self, buffer: &mut ReadBuffer, latencies: &mut Latencies) -> Result<usize, Failure> {
        let mut answered = 0;
        let Self { session, calls, first_id, .. } = self;
        session.poll(buffer, |text| {
            answered += usize::from(take_answer(calls, *first_id, text)?);
            Ok(())
        })?;
        if answered > 0 {
            let latency = self.sent_at.elapsed();
            (0..answered).for_each(|_| latencies.record(latency));
            self.unanswered -= answered;
        }
        if self.is_done() {
            self.first_id += self.calls.len();
            self.calls.clear();
        }
        Ok(answered)
    }
}

/// Checks one answer and says whether its call is complete with it.
fn take_answer(calls: &mut [Call], first_id: usize, text: &[u8]) -> Result<bool, Failure> {
    let message = Message::parse(text)?;
    let id = match (message.msg, message.id, &message.methods[..]) {
        ("updated", None, &[id]) | ("result", Some(id), &[]) => id.parse::<usize>()?,
        _ => return Err(unexpected(text)),
    };
    let call = id.checked_sub(first_id).and_then(|index| calls.get_mut(index));
    let call = call.ok_or_else(|| unexpected(text))?;
    let seen = if message.msg == "result" {
        let (a, b) = params(id);
        let sum = message.result.map(|result| result.get().parse::<f64>());
        if sum != Some(Ok((a + b) as f64)) {
            return Err(unexpected(text));
        }
        &mut call.result
    } else {
        &mut call.updated
    };
    if std::mem::replace(seen, true) {
        return Err(unexpected(text));
    }
    Ok(call.updated && call.result)
}

/// Small parameters that differ from call to call, so that an answer to another call is noticed.
fn params(id: usize) -> (usize, usize) {
    (id % 1000, 2)
}
