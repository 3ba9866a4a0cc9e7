//! The comparison: every scenario on Bolide and on its floors, and the verdict on the budgets.

use std::time::Duration;

use crate::Failure;
use crate::arguments::generator_arguments;
use crate::child::Placement;
use crate::floor::Variant;
use crate::measurement::{Measurement, Quantiles, Report, Slice};
use crate::scenario::{Budget, Method, Scenario};
use crate::server::{Server, build_conformance_server, run_generator};
use crate::table;

pub(crate) struct Comparison {
    pub(crate) scenarios: Vec<&'static Scenario>,
    /// The server to be held against the floor; built if none is given.
    pub(crate) server: Option<Server>,
    /// Another build of the server, which takes its turns beside the first.
    pub(crate) before: Option<Server>,
    pub(crate) duration: Duration,
    pub(crate) rounds: usize,
    pub(crate) scale: f64,
    pub(crate) strict: bool,
}

impl Comparison {
    /// Prints the table, and says whether all answers were right (and, if strict, budgets kept).
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
                    table::print_remark(scenario, &format!("not measured: {why}"));
                }
                Outcome::Wrong(what) => {
                    table::print_remark(scenario, &format!("WRONG: {what}"));
                    good = false;
                }
            }
        }
        Ok(good)
    }

    fn compare(&self, scenario: &Scenario, bolide: &Server, placement: Placement) -> Result<Outcome, Failure> {
        let mut rows = self.rows(scenario, bolide);
        let rounds = if matches!(scenario.method, Method::Once(_)) { 1 } else { self.rounds };
        for _ in 0..rounds {
            match self.measure(scenario, &rows, placement)? {
                Report::Measured(measurements) => {
                    for (row, measurement) in rows.iter_mut().zip(measurements) {
                        row.measurements.push(measurement);
                    }
                }
                Report::NotMeasured(why) => return Ok(Outcome::NotMeasured(why)),
                Report::Wrong { server, what } => {
                    return Ok(Outcome::Wrong(format!("{}: {what}", rows[server].name)));
                }
            }
        }
        Ok(Outcome::Measured(rows))
    }

    /// The servers of a scenario; Bolide is the last.
    fn rows(&self, scenario: &Scenario, bolide: &Server) -> Vec<Row> {
        let row = |name, server| Row { name, server, measurements: vec![] };
        let floor = |variant: &Variant| row(variant.name(), Server::Floor(*variant));
        let before = self.before.iter().map(|server| row("before", server.clone()));
        let name = if matches!(bolide, Server::Floor(_)) { "floor again" } else { "bolide" };
        scenario.floors.iter().map(floor).chain(before).chain([row(name, bolide.clone())]).collect()
    }

    /// One round: servers that were just started, all of them under the same load by turns.
    fn measure(&self, scenario: &Scenario, rows: &[Row], placement: Placement) -> Result<Report, Failure> {
        let start = |row: &Row| row.server.start(placement);
        let servers = rows.iter().map(start).collect::<Result<Vec<_>, _>>()?;
        let words = generator_arguments(scenario, self.duration, self.scale, &servers);
        Ok(serde_json::from_str(&run_generator(placement, &words)?)?)
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

impl Row {
    /// The median of one figure over all slices of all rounds.
    pub(crate) fn median_of_slices(&self, figure: impl Fn(&Slice) -> f64) -> f64 {
        let slices = self.measurements.iter().flat_map(|measurement| &measurement.slices);
        median(slices.map(figure).collect()).unwrap_or(f64::NAN)
    }

    /// The median over all rounds of one figure, if there is such a figure.
    pub(crate) fn median(&self, figure: impl Fn(&Measurement) -> Option<f64>) -> Option<f64> {
        median(self.measurements.iter().filter_map(figure).collect())
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some(f64::midpoint(values[last / 2], values[last.div_ceil(2)]))
}

/// How Bolide did against one budget.
pub(crate) struct Verdict {
    pub(crate) kept: bool,
    /// What was found and what is allowed.
    pub(crate) text: String,
}

fn verdicts(scenario: &Scenario, rows: &[Row]) -> Vec<Verdict> {
    let Some((bolide, floors)) = rows.split_last() else {
        return vec![];
    };
    let judge = |budget: &Budget| match *budget {
        Budget::CpuTimes(floor, allowed) => judge_cpu(bolide, named(floors, floor)?, allowed),
        Budget::Memory(allowed) => judge_memory(bolide, scenario.unit, allowed),
        Budget::MemoryTimes(floor, allowed) => judge_memory_beside(bolide, named(floors, floor)?, allowed),
        Budget::FirstByte(allowed) => judge_first_byte(bolide, allowed),
    };
    let mut verdicts: Vec<_> = scenario.budgets.iter().filter_map(judge).collect();
    if let Some(first) = verdicts.first_mut() {
        first.text += &without_budget(scenario, bolide, floors);
    }
    verdicts
}

fn named(floors: &[Row], variant: Variant) -> Option<&Row> {
    floors.iter().find(|floor| floor.name == variant.name())
}

fn judge_cpu(bolide: &Row, floor: &Row, allowed: f64) -> Option<Verdict> {
    let rounds = bolide.measurements.iter().zip(&floor.measurements);
    let of_rounds: Vec<_> = rounds.filter_map(|(one, floor)| cpu_ratio([(one, floor)])).collect();
    let least = of_rounds.iter().copied().min_by(f64::total_cmp)?;
    let most = of_rounds.iter().copied().max_by(f64::total_cmp)?;
    let ratio = cpu_ratio(bolide.measurements.iter().zip(&floor.measurements))?;
    let text = format!("CPU {ratio:.2} × {}, {least:.2}–{most:.2} (budget {allowed:.2})", floor.name);
    Some(Verdict { kept: ratio <= allowed, text })
}

/// Returns the ratios to the servers that have no budget.
fn without_budget(scenario: &Scenario, bolide: &Row, floors: &[Row]) -> String {
    let is_of = |row: &Row, budget: &Budget| matches!(budget, Budget::CpuTimes(floor, _) if floor.name() == row.name);
    let others = floors.iter().filter(|row| !scenario.budgets.iter().any(|budget| is_of(row, budget)));
    let ratio = |other: &Row| cpu_ratio(bolide.measurements.iter().zip(&other.measurements));
    others.filter_map(|other| Some(format!("; {:.2} × {}", ratio(other)?, other.name))).collect()
}

/// The median ratio of slices that were measured at the same time.
fn cpu_ratio<'a>(rounds: impl IntoIterator<Item = (&'a Measurement, &'a Measurement)>) -> Option<f64> {
    let cost = Slice::cpu_microseconds_per_unit;
    let pairs = rounds.into_iter().flat_map(|(one, floor)| one.slices.iter().zip(&floor.slices));
    median(pairs.map(|(one, floor)| cost(one) / cost(floor)).collect())
}

fn judge_memory(bolide: &Row, unit: &str, allowed: f64) -> Option<Verdict> {
    let bytes = bolide.median(|measurement| measurement.memory_per_unit)?;
    let text = format!("{bytes:.0} B a {unit} (budget {allowed:.0})");
    Some(Verdict { kept: bytes <= allowed, text })
}

fn judge_memory_beside(bolide: &Row, floor: &Row, allowed: f64) -> Option<Verdict> {
    let memory = |row: &Row| row.median(|measurement| measurement.memory_per_unit);
    let ratio = memory(bolide)? / memory(floor)?;
    let text = format!("memory {ratio:.2} × {} (budget {allowed:.2})", floor.name);
    Some(Verdict { kept: ratio <= allowed, text })
}

fn judge_first_byte(bolide: &Row, allowed: Duration) -> Option<Verdict> {
    let milliseconds = |pick: fn(&Quantiles) -> Duration| {
        let first_byte = |one: &Measurement| Some(pick(one.first_byte.as_ref()?).as_secs_f64());
        bolide.median(first_byte).map(|seconds| seconds * 1e3)
    };
    let (p50, p99) = (milliseconds(|one| one.p50)?, milliseconds(|one| one.p99)?);
    let allowed = allowed.as_secs_f64() * 1e3;
    Some(Verdict {
        kept: p50 < allowed,
        text: format!("first byte after {p50:.2} ms, p99 {p99:.2} ms (budget {allowed} ms)"),
    })
}
