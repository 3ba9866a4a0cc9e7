//! Idle sessions: how much resident memory each of many connected sessions takes while nothing
//! happens.

use std::thread::sleep;
use std::time::Duration;

use super::Target;
use crate::Failure;
use crate::latencies::Latencies;
use crate::measurement::{Measurement, Stopwatch};
use crate::session::{Message, Session, Silence, open_many, unexpected};
use crate::websocket::ReadBuffer;

const SESSIONS: usize = 10_000;

/// Sessions that do not count. With their opening the server gives back what it needed to start, such as the memory in
/// which it hashed the passwords of its users.
const FIRST_SESSIONS: usize = 100;

/// Time for the server to put things away before its memory is read.
const SETTLING: Duration = Duration::from_secs(1);

pub(super) fn idle(target: &Target) -> Result<Measurement, Failure> {
    let mut buffer = ReadBuffer::new();
    let count = target.scaled(SESSIONS);
    let _first = open_many(target.address, FIRST_SESSIONS, &mut buffer, drop)?;
    sleep(SETTLING);
    let before = target.server.resident_memory()?;
    let stopwatch = Stopwatch::start(target.server)?;
    let mut latencies = Latencies::default();
    let note = |latency| latencies.record(latency);
    let mut sessions = open_many(target.address, count, &mut buffer, note)?;
    let slice = stopwatch.stop(count)?;
    sleep(SETTLING);
    let growth = target.server.resident_memory()?.saturating_sub(before);
    check_all_alive(&mut sessions, &mut buffer)?;
    Ok(Measurement {
        slices: vec![slice],
        latency: latencies.quantiles(),
        memory_per_unit: Some(growth as f64 / count as f64),
        ..Measurement::default()
    })
}

/// A session that was lost takes no memory, so each must still answer.
fn check_all_alive(sessions: &mut [Session], buffer: &mut ReadBuffer) -> Result<(), Failure> {
    for session in sessions {
        let mut alive = false;
        let silence = Silence::begins();
        session.send(r#"{"msg":"ping","id":"alive"}"#)?;
        while !alive {
            session.poll(buffer, |text| {
                let message = Message::parse(text)?;
                alive = message.msg == "pong" && message.id == Some("alive");
                if alive { Ok(()) } else { Err(unexpected(text)) }
            })?;
            silence.check("an idle session did not answer")?;
        }
    }
    Ok(())
}
