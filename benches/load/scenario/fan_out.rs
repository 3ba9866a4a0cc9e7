//! Fan-out: one writer broadcasts to many subscribers of `feed`, at a pace or as fast as it goes.
//!
//! Each subscriber must get every broadcast, in order, with the right content. The first copy of a
//! broadcast is parsed; the others need only be the same bytes, which lets this side read faster
//! than a server can write.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use super::{Load, NoSuchPublication, Target};
use crate::Failure;
use crate::latencies::Latencies;
use crate::measurement::Work;
use crate::session::{Message, Session, Silence, open_many, unexpected};
use crate::websocket::ReadBuffer;

const SUBSCRIBERS: usize = 1_000;
const PACE: Duration = Duration::from_millis(100);

/// How many broadcasts are under way at full speed: sent by the writer, not yet seen by every
/// subscriber.
const OUTSTANDING: usize = 64;

/// About the size of a chat message.
const TEXT: &str = "The quick brown fox jumps over the lazy dog, and the lazy dog looks at the quick \
                    brown fox as if it had seen that before.";

pub(super) fn paced(target: &Target) -> Result<Box<dyn Load>, Failure> {
    Stage::prepare(target, |count, elapsed| elapsed >= PACE * count)
}

pub(super) fn full(target: &Target) -> Result<Box<dyn Load>, Failure> {
    Stage::prepare(target, |_, _| true)
}

struct Stage {
    writer: Session,
    subscribers: Vec<Subscriber>,
    broadcasts: Broadcasts,
    /// Says whether another is due when so many have been sent in that time.
    is_due: fn(u32, Duration) -> bool,
    buffer: ReadBuffer,
}

struct Subscriber {
    session: Session,
    /// The number of the broadcast that comes next.
    next: usize,
}

impl Stage {
    fn prepare(target: &Target, is_due: fn(u32, Duration) -> bool) -> Result<Box<dyn Load>, Failure> {
        let mut buffer = ReadBuffer::new();
        let count = target.scaled(SUBSCRIBERS);
        let writer = Session::open(target.address, &mut buffer)?;
        let mut subscribers = vec![];
        for mut session in open_many(target.address, count, &mut buffer, drop)? {
            subscribe(&mut session, &mut buffer)?;
            subscribers.push(Subscriber { session, next: 0 });
        }
        let broadcasts = Broadcasts::new(count);
        Ok(Box::new(Self { writer, subscribers, broadcasts, is_due, buffer }))
    }

    fn send_due_broadcasts(&mut self, sent: &mut u32, elapsed: Duration) -> Result<(), Failure> {
        let Self { writer, broadcasts, is_due, .. } = self;
        while broadcasts.under_way.len() < OUTSTANDING && is_due(*sent, elapsed) {
            writer.queue(&broadcasts.begin());
            *sent += 1;
        }
        writer.flush()
    }

    fn poll(&mut self, latencies: &mut Latencies) -> Result<(), Failure> {
        let Self { writer, subscribers, broadcasts, buffer, .. } = self;
        writer.poll(buffer, |text| broadcasts.take_answer(text))?;
        for Subscriber { session, next } in subscribers {
            session.poll(buffer, |text| {
                latencies.record(broadcasts.take_delivery(*next, text)?);
                *next += 1;
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Load for Stage {
    fn run(&mut self, duration: Duration) -> Result<Work, Failure> {
        let mut latencies = Latencies::default();
        let mut silence = Silence::begins();
        let started = Instant::now();
        let mut sent = 0;
        loop {
            let elapsed = started.elapsed();
            if elapsed < duration {
                self.send_due_broadcasts(&mut sent, elapsed)?;
            } else if self.broadcasts.under_way.is_empty() {
                return Ok(Work { units: latencies.count(), latencies, ..Work::default() });
            }
            self.poll(&mut latencies)?;
            if self.broadcasts.forget_complete() || self.broadcasts.under_way.is_empty() {
                silence = Silence::begins();
            }
            silence.check("a broadcast did not arrive")?;
        }
    }
}

/// Subscribes to `feed`: one document with an empty field, then `ready`.
fn subscribe(session: &mut Session, buffer: &mut ReadBuffer) -> Result<(), Failure> {
    session.send(r#"{"msg":"sub","id":"1","name":"feed","params":[]}"#)?;
    let silence = Silence::begins();
    let (mut added, mut ready) = (false, false);
    while !ready {
        session.poll(buffer, |text| {
            let message = Message::parse(text)?;
            match message.msg {
                "added" if is_the_document(&message) && !added => added = true,
                "ready" if message.subs == ["1"] && added => ready = true,
                _ if message.is_unknown_publication() => {
                    return Err(NoSuchPublication("feed").into());
                }
                _ => return Err(unexpected(text)),
            }
            Ok(())
        })?;
        silence.check("a subscription was not answered")?;
    }
    Ok(())
}

fn is_the_document(message: &Message<'_>) -> bool {
    message.collection == Some("feed") && message.id == Some("x")
}

struct Broadcasts {
    subscribers: usize,
    /// Those that some subscribers have not seen, oldest first.
    under_way: VecDeque<Broadcast>,
    /// The number of the oldest of them.
    first: usize,
}

struct Broadcast {
    sent_at: Instant,
    missing: usize,
    updated: bool,
    result: bool,
    /// The message as the first subscriber got it, which was found to be right.
    verified: Vec<u8>,
}

#[derive(Deserialize)]
struct Fields {
    p: Payload,
}

#[derive(Deserialize)]
struct Payload {
    number: usize,
    text: String,
}

impl Broadcasts {
    fn new(subscribers: usize) -> Self {
        Self { subscribers, under_way: VecDeque::new(), first: 0 }
    }

    /// Notes a new broadcast and gives the call that makes it.
    fn begin(&mut self) -> String {
        let number = self.first + self.under_way.len();
        self.under_way.push_back(Broadcast {
            sent_at: Instant::now(),
            missing: self.subscribers,
            updated: false,
            result: false,
            verified: vec![],
        });
        let payload = json!({"number": number, "text": TEXT});
        let id = number.to_string();
        json!({"msg": "method", "method": "broadcast", "params": [payload], "id": id}).to_string()
    }

    fn numbered(&mut self, number: usize) -> Option<&mut Broadcast> {
        self.under_way.get_mut(number.checked_sub(self.first)?)
    }

    /// Checks what the writer is told.
    fn take_answer(&mut self, text: &[u8]) -> Result<(), Failure> {
        let message = Message::parse(text)?;
        let subscribers = self.subscribers;
        let (id, is_result) = match (message.msg, message.id, &message.methods[..]) {
            ("updated", None, &[id]) => (id, false),
            ("result", Some(id), &[]) => (id, true),
            _ => return Err(unexpected(text)),
        };
        let reached = message.result.map(|result| result.get().parse());
        if is_result && reached != Some(Ok(subscribers)) {
            return Err(unexpected(text));
        }
        let broadcast = self.numbered(id.parse()?).ok_or_else(|| unexpected(text))?;
        let seen = if is_result { &mut broadcast.result } else { &mut broadcast.updated };
        if std::mem::replace(seen, true) {
            return Err(unexpected(text));
        }
        Ok(())
    }

    /// Checks what a subscriber got as its broadcast number `expected` and says how long it was on
    /// its way.
    fn take_delivery(&mut self, expected: usize, text: &[u8]) -> Result<Duration, Failure> {
        let broadcast = self.numbered(expected).ok_or_else(|| unexpected(text))?;
        if broadcast.verified != text {
            verify(expected, text)?;
            text.clone_into(&mut broadcast.verified);
        }
        broadcast.missing -= 1;
        Ok(broadcast.sent_at.elapsed())
    }

    /// Drops broadcasts that all subscribers have seen, and returns whether there were any.
    fn forget_complete(&mut self) -> bool {
        let before = self.first;
        while self.under_way.pop_front_if(|broadcast| broadcast.is_complete()).is_some() {
            self.first += 1;
        }
        self.first > before
    }
}

impl Broadcast {
    fn is_complete(&self) -> bool {
        self.missing == 0 && self.updated && self.result
    }
}

fn verify(expected: usize, text: &[u8]) -> Result<(), Failure> {
    let message = Message::parse(text)?;
    let fields = message.fields.map(|fields| serde_json::from_str::<Fields>(fields.get()));
    match fields {
        Some(Ok(Fields { p }))
            if message.msg == "changed" && is_the_document(&message) && p.number == expected && p.text == TEXT =>
        {
            Ok(())
        }
        _ => Err(format!("expected broadcast {expected}, got {}", String::from_utf8_lossy(text)).into()),
    }
}
