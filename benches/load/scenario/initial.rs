//! Initial data: one client at a time subscribes to `tick` and gets all of its documents.
//!
//! Every document is checked. The first answer is parsed; later ones need only be the same bytes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{Load, NoSuchPublication, Target};
use crate::Failure;
use crate::measurement::Work;
use crate::session::{Message, Session, Silence, unexpected};
use crate::websocket::ReadBuffer;

const DOCUMENTS: usize = 10_000;

pub(super) fn initial(target: &Target) -> Result<Box<dyn Load>, Failure> {
    let mut reader =
        Reader { address: target.address, verified: vec![vec![]; target.scaled(DOCUMENTS)], buffer: ReadBuffer::new() };
    reader.subscribe_once(&mut Work::default())?;
    Ok(Box::new(reader))
}

struct Reader {
    address: SocketAddr,
    /// Each document's message, once it was found to be right.
    verified: Vec<Vec<u8>>,
    buffer: ReadBuffer,
}

impl Load for Reader {
    fn run(&mut self, duration: Duration) -> Result<Work, Failure> {
        let mut work = Work::default();
        let started = Instant::now();
        while started.elapsed() < duration {
            self.subscribe_once(&mut work)?;
        }
        Ok(work)
    }
}

impl Reader {
    fn subscribe_once(&mut self, work: &mut Work) -> Result<(), Failure> {
        let Self { address, verified, buffer } = self;
        let mut session = Session::open(*address, buffer)?;
        let count = verified.len();
        let mut arrived = Arrived { verified, documents: 0, ready: false };
        let requested = Instant::now();
        session.send(&format!(r#"{{"msg":"sub","id":"1","name":"tick","params":[{count}]}}"#))?;
        let silence = Silence::begins();
        let mut first_byte = None;
        while !arrived.ready {
            let read = session.poll(buffer, |text| arrived.take(text))?;
            if read > 0 && first_byte.is_none() {
                first_byte = Some(requested.elapsed());
            }
            silence.check("a subscription was not answered")?;
        }
        work.units += count;
        work.latencies.record(requested.elapsed());
        work.first_bytes.record(first_byte.unwrap_or_default());
        session.close(buffer)
    }
}

/// What has come of one subscription's answer.
struct Arrived<'reader> {
    verified: &'reader mut [Vec<u8>],
    documents: usize,
    ready: bool,
}

impl Arrived<'_> {
    fn take(&mut self, text: &[u8]) -> Result<(), Failure> {
        match self.verified.get_mut(self.documents) {
            Some(verified) => {
                if verified != text {
                    verify(self.documents, text)?;
                    text.clone_into(verified);
                }
                self.documents += 1;
                Ok(())
            }
            None => self.take_ready(text),
        }
    }

    fn take_ready(&mut self, text: &[u8]) -> Result<(), Failure> {
        let message = Message::parse(text)?;
        if message.msg != "ready" || message.subs != ["1"] {
            return Err(unexpected(text));
        }
        self.ready = true;
        Ok(())
    }
}

#[derive(Deserialize, PartialEq)]
struct Fields {
    i: usize,
    name: String,
    price: f64,
    done: bool,
    at: Date,
    tags: Vec<String>,
}

#[derive(Deserialize, PartialEq)]
struct Date {
    #[serde(rename = "$date")]
    milliseconds: usize,
}

impl Fields {
    fn numbered(i: usize) -> Self {
        Self {
            i,
            name: format!("item number {i}"),
            price: i as f64 + 0.5,
            done: i % 2 == 1,
            at: Date { milliseconds: 1_700_000_000_000 + i },
            tags: vec!["a".to_owned(), "b".to_owned()],
        }
    }
}

fn verify(index: usize, text: &[u8]) -> Result<(), Failure> {
    let message = Message::parse(text)?;
    if message.is_unknown_publication() {
        return Err(NoSuchPublication("tick").into());
    }
    let fields = message.fields.map(|fields| serde_json::from_str::<Fields>(fields.get()));
    match fields {
        Some(Ok(fields))
            if message.msg == "added"
                && message.collection == Some("ticks")
                && message.id == Some(&format!("doc{index}"))
                && fields == Fields::numbered(index) =>
        {
            Ok(())
        }
        _ => Err(unexpected(text)),
    }
}
