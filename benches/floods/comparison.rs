//! The comparison: every flood on every server, each started for it.

use std::thread::{self, JoinHandle};

use crate::Failure;
use crate::child::Placement;
use crate::flood::Flood;
use crate::measurement::{Flooded, Measurement, Times};
use crate::server::{Program, Proxy};
use crate::table;
use crate::verdict::complaints;

pub(crate) struct Comparison {
    pub(crate) floods: Vec<&'static Flood>,
    /// The server that is judged; built if none is given.
    pub(crate) server: Option<Program>,
    /// Another build of the server, for comparison.
    pub(crate) before: Option<Program>,
    pub(crate) times: Times,
}

/// Which of the servers of a run it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contestant {
    Judged,
    Before,
}

impl Contestant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Judged => "bolide",
            Self::Before => "before",
        }
    }
}

impl Comparison {
    /// Prints the table, and says whether the server bore all floods.
    pub(crate) fn run(self) -> Result<bool, Failure> {
        let judged = match &self.server {
            Some(program) => program.clone(),
            None => Program::build()?,
        };
        let before = self.before.iter().map(|program| (Contestant::Before, program));
        let contestants: Vec<_> = before.chain([(Contestant::Judged, &judged)]).collect();
        let placement = Placement::apart();
        table::print_head(placement);
        let mut good = true;
        let mut last: Option<Settling> = None;
        for flood in &self.floods {
            for (contestant, program) in &contestants {
                let settling = self.measure(flood, *contestant, program, placement);
                // A server settles while the next one is flooded.
                good &= last.replace(settling).is_none_or(Settling::finish);
            }
        }
        Ok(good & last.is_none_or(Settling::finish))
    }

    fn measure(
        &self,
        flood: &'static Flood,
        contestant: Contestant,
        program: &Program,
        placement: Placement,
    ) -> Settling {
        let rest = if flood.proxy == Proxy::Attacker && !program.trusts_proxies() {
            Rest::NotMeasured("not measured: this program has no --trusted-proxy")
        } else {
            let times = self.times;
            match Flooded::flood(flood, program, placement, times) {
                Ok(flooded) => Rest::Settles(thread::spawn(move || flooded.settle(times))),
                Err(failure) => Rest::Failed(failure),
            }
        };
        Settling { flood, contestant, rest }
    }
}

/// A measurement whose last look at the server is still to come.
struct Settling {
    flood: &'static Flood,
    contestant: Contestant,
    rest: Rest,
}

enum Rest {
    Settles(JoinHandle<Result<Measurement, Failure>>),
    NotMeasured(&'static str),
    Failed(Failure),
}

impl Settling {
    /// Prints the row, and says whether the flood was borne by a server that is judged.
    fn finish(self) -> bool {
        let Self { flood, contestant, rest } = self;
        let measured = match rest {
            Rest::NotMeasured(why) => {
                table::print_remark(flood, contestant, why);
                return true;
            }
            Rest::Failed(failure) => Err(failure),
            Rest::Settles(measurement) => measurement.join().unwrap_or_else(|_| Err("a thread panicked".into())),
        };
        let is_borne = match measured {
            Ok(measurement) => {
                let complaints = complaints(flood, &measurement);
                table::print_row(flood, contestant, &measurement, &complaints);
                complaints.is_empty()
            }
            Err(failure) => {
                table::print_remark(flood, contestant, &format!("NOT BORNE: {failure}"));
                false
            }
        };
        is_borne || contestant == Contestant::Before
    }
}
