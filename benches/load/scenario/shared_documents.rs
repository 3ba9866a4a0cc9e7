//! Shared documents: many sessions subscribe several times to the same documents; how much memory
//! that takes.
//!
//! The merge box of each session knows each document once, whatever the number of subscriptions, so
//! each session gets each document once and `ready` for every subscription.

use std::collections::VecDeque;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{NoSuchPublication, Target};
use crate::Failure;
use crate::latencies::Latencies;
use crate::measurement::{Measurement, Stopwatch};
use crate::session::{Message, Session, Silence, open_many, unexpected};
use crate::websocket::ReadBuffer;

const SESSIONS: usize = 1_000;
const SUBSCRIPTIONS: usize = 10;
const DOCUMENTS: usize = 1_000;

/// How many sessions wait for their documents at the same time.
const AT_ONCE: usize = 8;

/// Time for the server to put things away before its memory is read.
const SETTLING: Duration = Duration::from_secs(1);

pub(super) fn shared_documents(target: &Target) -> Result<Measurement, Failure> {
    let mut buffer = ReadBuffer::new();
    let documents = target.scaled(DOCUMENTS);
    let mut writer = Session::open(target.address, &mut buffer)?;
    check_publication(&mut writer, &mut buffer)?;
    let one_copy = insert_documents(&mut writer, documents, &mut buffer)?;
    let sessions = open_many(target.address, target.scaled(SESSIONS), &mut buffer, drop)?;
    let pairs = sessions.len() * documents;

    let before = target.server.resident_memory()?;
    let stopwatch = Stopwatch::start(target.server)?;
    let mut latencies = Latencies::default();
    let mut subscribers = subscribe_all(sessions, documents, &mut latencies, &mut buffer)?;
    let slice = stopwatch.stop(pairs)?;
    sleep(SETTLING);
    let growth = target.server.resident_memory()?.saturating_sub(before);

    for subscriber in &mut subscribers {
        subscriber.poll(&mut buffer)?;
    }
    Ok(Measurement {
        slices: vec![slice],
        latency: latencies.quantiles(),
        memory_per_unit: Some(growth.saturating_sub(one_copy) as f64 / pairs as f64),
        ..Measurement::default()
    })
}

/// Subscribes with all sessions, some at the same time, and keeps them.
fn subscribe_all(
    sessions: Vec<Session>,
    documents: usize,
    latencies: &mut Latencies,
    buffer: &mut ReadBuffer,
) -> Result<Vec<Subscriber>, Failure> {
    let mut waiting = VecDeque::from(sessions);
    let mut subscribing: Vec<Subscriber> = vec![];
    let mut subscribed = vec![];
    let mut silence = Silence::begins();
    while !waiting.is_empty() || !subscribing.is_empty() {
        while let Some(session) = waiting.pop_front_if(|_| subscribing.len() < AT_ONCE) {
            subscribing.push(Subscriber::begin(session, documents)?);
        }
        for subscriber in &mut subscribing {
            subscriber.poll(buffer)?;
        }
        for subscriber in subscribing.extract_if(.., |subscriber| subscriber.has_everything()) {
            latencies.record(subscriber.began.elapsed());
            subscribed.push(subscriber);
            silence = Silence::begins();
        }
        silence.check("a subscription was not answered")?;
    }
    Ok(subscribed)
}

fn check_publication(session: &mut Session, buffer: &mut ReadBuffer) -> Result<(), Failure> {
    session.send(r#"{"msg":"sub","id":"probe","name":"items","params":[]}"#)?;
    session.send(r#"{"msg":"unsub","id":"probe"}"#)?;
    let silence = Silence::begins();
    let mut stopped = false;
    while !stopped {
        session.poll(buffer, |text| {
            let message = Message::parse(text)?;
            match message.msg {
                "ready" => {}
                _ if message.is_unknown_publication() => {
                    return Err(NoSuchPublication("items").into());
                }
                "nosub" => stopped = true,
                _ => return Err(unexpected(text)),
            }
            Ok(())
        })?;
        silence.check("a subscription was not answered")?;
    }
    Ok(())
}

/// Inserts the documents and says how many bytes of JSON they are.
fn insert_documents(writer: &mut Session, count: usize, buffer: &mut ReadBuffer) -> Result<u64, Failure> {
    let mut bytes = 0;
    for index in 0..count {
        let document = document(index);
        bytes += document.to_string().len() as u64;
        let call = json!({
            "msg": "method", "method": "insertItem", "params": [document], "id": index.to_string(),
        });
        writer.send(&call.to_string())?;
        let silence = Silence::begins();
        let (mut updated, mut result) = (false, false);
        while !(updated && result) {
            writer.poll(buffer, |text| {
                let message = Message::parse(text)?;
                match message.msg {
                    "updated" => updated = true,
                    "result" if message.error.is_none() => result = true,
                    _ => return Err(unexpected(text)),
                }
                Ok(())
            })?;
            silence.check("a document was not inserted")?;
        }
    }
    Ok(bytes)
}

fn document(index: usize) -> serde_json::Value {
    json!({
        "_id": format!("item{index}"),
        "number": index,
        "name": format!("item number {index}"),
        "price": index as f64 + 0.5,
        "done": index % 2 == 1,
        "tags": ["a", "b"],
        "text": "A document of the size that documents in a list have.",
    })
}

struct Subscriber {
    session: Session,
    began: Instant,
    documents: Vec<bool>,
    missing_documents: usize,
    ready: [bool; SUBSCRIPTIONS],
}

impl Subscriber {
    fn begin(mut session: Session, documents: usize) -> Result<Self, Failure> {
        for id in 0..SUBSCRIPTIONS {
            session.queue(&format!(r#"{{"msg":"sub","id":"{id}","name":"items","params":[]}}"#));
        }
        session.flush()?;
        Ok(Self {
            session,
            began: Instant::now(),
            documents: vec![false; documents],
            missing_documents: documents,
            ready: [false; SUBSCRIPTIONS],
        })
    }

    fn has_everything(&self) -> bool {
        self.missing_documents == 0 && self.ready == [true; SUBSCRIPTIONS]
    }

    fn poll(&mut self, buffer: &mut ReadBuffer) -> Result<(), Failure> {
        let Self { session, documents, missing_documents, ready, .. } = self;
        session.poll(buffer, |text| {
            let message = Message::parse(text)?;
            match message.msg {
                "added" if message.collection == Some("items") => {
                    let index = message.id.and_then(|id| id.strip_prefix("item")?.parse().ok());
                    let seen = index.and_then(|index: usize| documents.get_mut(index));
                    note_once(seen, text)?;
                    *missing_documents -= 1;
                }
                "ready" => {
                    for id in message.subs {
                        let seen = id.parse().ok().and_then(|id: usize| ready.get_mut(id));
                        note_once(seen, text)?;
                    }
                }
                _ => return Err(unexpected(text)),
            }
            Ok(())
        })?;
        Ok(())
    }
}

fn note_once(seen: Option<&mut bool>, text: &[u8]) -> Result<(), Failure> {
    match seen {
        Some(seen) if !*seen => *seen = true,
        _ => return Err(unexpected(text)),
    }
    Ok(())
}
