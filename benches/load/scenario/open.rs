//! Opening sessions: TCP, upgrade, `connect`, `connected`, and leaving again, as fast as it goes.

use std::time::{Duration, Instant};

use super::Plan;
use crate::Failure;
use crate::measurement::{Latencies, Measurement, Stopwatch};
use crate::session::{Session, Silence, unexpected};
use crate::websocket::ReadBuffer;

/// How many sessions are somewhere between their beginning and their end.
const AT_ONCE: usize = 16;

pub(super) fn open(plan: &Plan) -> Result<Measurement, Failure> {
    let mut buffer = ReadBuffer::new();
    keep_opening(plan, plan.warm_up(), &mut buffer)?;
    let stopwatch = Stopwatch::start(plan.server)?;
    let latencies = keep_opening(plan, plan.duration, &mut buffer)?;
    stopwatch.stop(latencies.count(), latencies)
}

fn keep_opening(
    plan: &Plan,
    duration: Duration,
    buffer: &mut ReadBuffer,
) -> Result<Latencies, Failure> {
    let mut latencies = Latencies::default();
    let end = Instant::now() + duration;
    let mut silence = Silence::begins();
    let mut visits: Vec<Visit> = vec![];
    loop {
        while visits.len() < AT_ONCE && Instant::now() < end {
            visits.push(Visit::begin(plan)?);
        }
        if visits.is_empty() {
            return Ok(latencies);
        }
        for visit in &mut visits {
            if let Some(latency) = visit.poll(buffer)? {
                latencies.record(latency);
                silence = Silence::begins();
            }
        }
        visits.retain(|visit| !visit.session.is_closed());
        silence.check("a session was not opened")?;
    }
}

struct Visit {
    session: Session,
    began: Instant,
    leaving: bool,
}

impl Visit {
    fn begin(plan: &Plan) -> Result<Self, Failure> {
        let began = Instant::now();
        Ok(Self {
            session: Session::start(plan.address)?,
            began,
            leaving: false,
        })
    }

    /// Goes on as far as possible without waiting. Gives the time that opening took, when it is done.
    fn poll(&mut self, buffer: &mut ReadBuffer) -> Result<Option<Duration>, Failure> {
        if self.leaving {
            self.session.poll_closing(buffer)?;
            return Ok(None);
        }
        self.session.poll(buffer, |text| Err(unexpected(text)))?;
        if !self.session.is_connected() {
            return Ok(None);
        }
        self.leaving = true;
        self.session.send_close()?;
        Ok(Some(self.began.elapsed()))
    }
}
