//! Idle sessions: how much resident memory each of many connected sessions takes while nothing happens.

use std::thread::sleep;
use std::time::Duration;

use super::Plan;
use crate::Failure;
use crate::measurement::{Latencies, Measurement, Stopwatch};
use crate::session::{Message, Session, Silence, open_many, unexpected};
use crate::websocket::ReadBuffer;

const SESSIONS: usize = 10_000;

/// Time for the server to put things away before its memory is read.
const SETTLING: Duration = Duration::from_secs(1);

pub(super) fn idle(plan: &Plan) -> Result<Measurement, Failure> {
    let mut buffer = ReadBuffer::new();
    let count = plan.scaled(SESSIONS);
    let before = plan.server.resident_memory()?;
    let stopwatch = Stopwatch::start(plan.server)?;
    let mut latencies = Latencies::default();
    let mut sessions = open_many(plan.address, count, &mut buffer, |latency| {
        latencies.record(latency);
    })?;
    let mut measurement = stopwatch.stop(count, latencies)?;
    sleep(SETTLING);
    let growth = plan.server.resident_memory()?.saturating_sub(before);
    measurement.memory_per_unit = Some(growth as f64 / count as f64);
    check_all_alive(&mut sessions, &mut buffer)?;
    Ok(measurement)
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
