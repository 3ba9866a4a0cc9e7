//! Opening sessions: TCP, upgrade, `connect`, `connected`, and leaving again, as fast as it goes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Load, Target};
use crate::Failure;
use crate::latencies::Latencies;
use crate::measurement::Work;
use crate::session::{Session, Silence, unexpected};
use crate::websocket::ReadBuffer;

/// How many sessions are somewhere between their beginning and their end.
const AT_ONCE: usize = 16;

pub(super) fn open(target: &Target) -> Result<Box<dyn Load>, Failure> {
    let mut buffer = ReadBuffer::new();
    Session::open(target.address, &mut buffer)?.close(&mut buffer)?;
    Ok(Box::new(Visits { address: target.address, buffer }))
}

struct Visits {
    address: SocketAddr,
    buffer: ReadBuffer,
}

impl Load for Visits {
    fn run(&mut self, duration: Duration) -> Result<Work, Failure> {
        let mut latencies = Latencies::default();
        let end = Instant::now() + duration;
        let mut silence = Silence::begins();
        let mut visits: Vec<Visit> = vec![];
        loop {
            while visits.len() < AT_ONCE && Instant::now() < end {
                visits.push(Visit::begin(self.address)?);
            }
            if visits.is_empty() {
                return Ok(Work { units: latencies.count(), latencies, ..Work::default() });
            }
            for visit in &mut visits {
                if let Some(latency) = visit.poll(&mut self.buffer)? {
                    latencies.record(latency);
                    silence = Silence::begins();
                }
            }
            visits.retain(|visit| !visit.session.is_closed());
            silence.check("a session was not opened or not closed")?;
        }
    }
}

struct Visit {
    session: Session,
    began: Instant,
    leaving: bool,
}

impl Visit {
    fn begin(address: SocketAddr) -> Result<Self, Failure> {
        let began = Instant::now();
        Ok(Self { session: Session::start(address)?, began, leaving: false })
    }

    /// Goes on as far as possible without waiting. Gives the time that opening took, when it is
    /// done.
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
