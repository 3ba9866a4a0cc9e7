//! The comparison: every scenario on both servers, by turns and several times, and the verdict on the budgets.

use std::time::Duration;

use crate::Failure;
use crate::arguments::generator_arguments;
use crate::child::{Placement, RunningServer, Server, build_conformance_server, run_generator};
use crate::measurement::{Measurement, Report};
use crate::scenario::{Budget, Floor, Plan, Scenario};
use crate::table;

pub(crate) struct Comparison {
    pub(crate) scenarios: Vec<&'static Scenario>,
    /// The server to be held against the floor; built if none is given.
    pub(crate) server: Option<Server>,
    pub(crate) duration: Duration,
    pub(crate) rounds: usize,
    pub(crate) scale: f64,
    pub(crate) strict: bool,
}

impl Comparison {
    /// Prints the table, and says whether all answers were right (and all budgets kept, if that is strict).
    pub(crate) fn run(self) -> Result<bool, Failure> {
        let bolide = match &self.server {
            Some(server) => server.clone(),
            None => Server::Bolide(build_conformance_server()?),
        };
        let placement = Placement::apart();
        table::print_head(placement);
        let mut good = true;
        for scenario in &self.scenarios {
            match self.compare(scenario, &bolide, placement)? {
                Outcome::Measured(rows) => {
                    let verdicts = verdicts(scenario, &rows);
                    table::print_rows(scenario, &rows, &verdicts);
                    good &= !self.strict || verdicts.iter().all(|verdict| verdict.kept);
                }
                Outcome::NotMeasured(why) => {
                    println!("{}  not measured: {why}", table::scenario_cell(scenario));
                }
                Outcome::Wrong(what) => {
                    println!("{}  WRONG: {what}", table::scenario_cell(scenario));
                    good = false;
                }
            }
        }
        Ok(good)
    }

    fn compare(
        &self,
        scenario: &Scenario,
        bolide: &Server,
        placement: Placement,
    ) -> Result<Outcome, Failure> {
        let mut rows = rows(scenario, bolide);
        let rounds = if scenario.floor == Floor::Interleaved {
            self.rounds
        } else {
            1
        };
        for round in 0..rounds {
            // Bolide goes first, so that a publication that it lacks costs no time, and then by turns.
            let mut order: Vec<usize> = (0..rows.len()).rev().collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for index in order {
                let row = &mut rows[index];
                match self.measure(scenario, &row.server, placement)? {
                    Report::Measured(measurement) => row.measurements.push(measurement),
                    Report::NotMeasured(why) => return Ok(Outcome::NotMeasured(why)),
                    Report::Wrong(what) => {
                        return Ok(Outcome::Wrong(format!("{}: {what}", row.name)));
                    }
                }
            }
        }
        Ok(Outcome::Measured(rows))
    }

    fn measure(
        &self,
        scenario: &Scenario,
        server: &Server,
        placement: Placement,
    ) -> Result<Report, Failure> {
        let server = RunningServer::start(server, placement)?;
        let plan = Plan {
            address: server.address(),
            server: server.process(),
            duration: self.duration,
            scale: self.scale,
        };
        let report = run_generator(placement, &generator_arguments(scenario, &plan))?;
        Ok(serde_json::from_str(&report)?)
    }
}

enum Outcome {
    Measured(Vec<Row>),
    NotMeasured(String),
    Wrong(String),
}

/// One server in one scenario.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    server: Server,
    /// One of each round.
    pub(crate) measurements: Vec<Measurement>,
}

/// The servers of a scenario; Bolide is the last.
fn rows(scenario: &Scenario, bolide: &Server) -> Vec<Row> {
    let floor = ("floor", Server::Floor);
    let default_buffers = ("floor, defaults", Server::FloorWithDefaultBuffers);
    let mut servers = match scenario.floor {
        Floor::Interleaved => vec![floor],
        Floor::OnceForOrientation => vec![default_buffers, floor],
        Floor::Absent => vec![],
    };
    let name = if matches!(bolide, Server::Floor) {
        "floor again"
    } else {
        "bolide"
    };
    servers.push((name, bolide.clone()));
    let row = |(name, server)| Row {
        name,
        server,
        measurements: vec![],
    };
    servers.into_iter().map(row).collect()
}

impl Row {
    /// The median of what the rounds gave for one figure.
    pub(crate) fn median(&self, figure: impl Fn(&Measurement) -> f64) -> f64 {
        median(self.measurements.iter().map(figure).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

/// How Bolide did against one budget.
pub(crate) struct Verdict {
    pub(crate) kept: bool,
    /// What was found and what is allowed.
    pub(crate) text: String,
}

fn verdicts(scenario: &Scenario, rows: &[Row]) -> Vec<Verdict> {
    let [floors @ .., bolide] = rows else {
        return vec![];
    };
    let judge = |budget: &Budget| match *budget {
        Budget::CpuTimesFloor(allowed) => judge_cpu(bolide, floors.last()?, allowed),
        Budget::Memory(allowed) => {
            let bytes = bolide.median(|measurement| measurement.memory_per_unit.unwrap_or(0.0));
            Some(Verdict {
                kept: bytes <= allowed,
                text: format!("{bytes:.0} B a {} (budget {allowed:.0})", scenario.unit),
            })
        }
        Budget::FirstByte(allowed) => {
            let first_byte = |measurement: &Measurement| measurement.first_byte.unwrap_or_default();
            let p50 = bolide.median(|measurement| first_byte(measurement).p50.as_secs_f64());
            let p99 = bolide.median(|measurement| first_byte(measurement).p99.as_secs_f64());
            Some(Verdict {
                kept: p50 < allowed.as_secs_f64(),
                text: format!(
                    "first byte after {:.2} ms, p99 {:.2} ms (budget {} ms)",
                    p50 * 1e3,
                    p99 * 1e3,
                    allowed.as_millis()
                ),
            })
        }
    };
    scenario.budgets.iter().filter_map(judge).collect()
}

/// Each round has a ratio of its own, since what disturbs the machine lasts longer than a round.
fn judge_cpu(bolide: &Row, floor: &Row, allowed: f64) -> Option<Verdict> {
    let costs = |row: &Row| {
        let cost = Measurement::cpu_microseconds_per_unit;
        row.measurements.iter().map(cost).collect::<Vec<_>>()
    };
    let ratios: Vec<f64> = costs(bolide)
        .iter()
        .zip(costs(floor))
        .map(|(b, f)| b / f)
        .collect();
    let least = ratios.iter().copied().min_by(f64::total_cmp)?;
    let most = ratios.iter().copied().max_by(f64::total_cmp)?;
    let ratio = median(ratios);
    Some(Verdict {
        kept: ratio <= allowed,
        text: format!("CPU {ratio:.2} × floor, {least:.2}–{most:.2} (budget {allowed:.2})"),
    })
}
