//! The command line: what a person may say, and what the program says to itself when it starts
//! itself again.

use std::path::Path;
use std::time::Duration;

use crate::Failure;
use crate::child::RunningServer;
use crate::comparison::Comparison;
use crate::floor::Variant;
use crate::generator::Plan;
use crate::process::Process;
use crate::scenario::{self, SCENARIOS, Scenario, Target};
use crate::server::Server;
use crate::words::Words;

pub(crate) const USAGE: &str = "\
Measures Bolide's conformance server beside a bare tokio-tungstenite server, and beside one that is made by hand.

    cargo bench --bench load -- [SCENARIO…] [OPTION…]

Scenarios (all, if none is named):
    one-outstanding    32 connections, one call under way on each
    rest               32 HTTP connections, one method.call under way on each
    pipelined          8 connections, 16 calls under way on each
    open               sessions opened and closed
    idle               memory of 10 000 idle sessions
    fanout-paced       10 broadcasts a second to 1 000 subscribers
    fanout-full        broadcasts to 1 000 subscribers as fast as it goes
    initial            10 000 documents to one client
    shared-documents   memory of 1 000 sessions × 10 subscriptions × 1 000 documents

Options:
    --seconds N        how long each server is under load in each round, in slices of 0.5 s (3)
    --rounds N         how often servers are restarted; the table shows medians (3)
    --scale F          multiplies sessions, subscribers and documents (1; budgets hold at 1)
    --server PATH      a conformance server that is built already, or `floor`: it against itself
    --before PATH      another built conformance server, such as an older commit's, in the same run
    --strict           an exceeded budget makes the exit code non-zero, as a wrong answer does";

pub(crate) enum Arguments {
    Explain,
    /// Another tool asks for tests, of which there are none.
    DoNothing,
    Compare(Comparison),
    ServeFloor(Variant),
    Generate(Plan),
}

impl Arguments {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let words = Words(arguments.collect::<Vec<_>>().into_iter());
        let first = words.0.as_slice().first().map(String::as_str);
        if let Some(variant) = Variant::ALL.into_iter().find(|one| first == Some(one.name())) {
            return Ok(Self::ServeFloor(variant));
        }
        match first {
            Some("generate") => words.generate(),
            // `cargo test --benches` gives no argument, nextest asks for a list: neither wants a
            // measurement.
            None | Some("--list") => Ok(Self::DoNothing),
            Some(_) => words.compare(),
        }
    }
}

impl Words {
    fn compare(mut self) -> Result<Arguments, Failure> {
        let mut comparison = Comparison {
            scenarios: vec![],
            server: None,
            before: None,
            duration: Duration::from_secs(3),
            rounds: 3,
            scale: 1.0,
            strict: false,
        };
        while let Some(word) = self.0.next() {
            match word.as_str() {
                // Cargo passes this to every benchmark.
                "--bench" => {}
                "--help" | "-h" => return Ok(Arguments::Explain),
                "--seconds" => comparison.duration = self.duration("--seconds")?,
                "--rounds" => comparison.rounds = self.number::<usize>("--rounds")?.max(1),
                "--scale" => comparison.scale = self.number("--scale")?,
                "--server" => comparison.server = Some(self.server(word.as_str())?),
                "--before" => comparison.before = Some(self.server(word.as_str())?),
                "--strict" => comparison.strict = true,
                name => comparison.scenarios.push(scenario::named(name)?),
            }
        }
        if comparison.scenarios.is_empty() {
            comparison.scenarios = SCENARIOS.iter().collect();
        }
        Ok(Arguments::Compare(comparison))
    }

    fn server(&mut self, option: &str) -> Result<Server, Failure> {
        Ok(match self.value(option)?.as_str() {
            "floor" => Server::Floor(Variant::Plain),
            path => Server::Bolide(Path::new(path).canonicalize().map_err(|error| format!("`{path}`: {error}"))?),
        })
    }

    /// The counterpart of [`generator_arguments`].
    fn generate(mut self) -> Result<Arguments, Failure> {
        const WORD: &str = "generate";
        self.value(WORD)?;
        let scenario = scenario::named(&self.value(WORD)?)?;
        let duration = self.duration(WORD)?;
        let scale = self.number(WORD)?;
        let mut targets = vec![];
        while !self.0.as_slice().is_empty() {
            let address = self.number(WORD)?;
            let server = Process(self.number(WORD)?);
            targets.push(Target { address, server, scale });
        }
        Ok(Arguments::Generate(Plan { scenario, targets, duration }))
    }
}

/// What this program says to itself to run one scenario.
pub(crate) fn generator_arguments(
    scenario: &Scenario,
    duration: Duration,
    scale: f64,
    servers: &[RunningServer],
) -> Vec<String> {
    let mut words =
        vec!["generate".to_owned(), scenario.name.to_owned(), duration.as_secs_f64().to_string(), scale.to_string()];
    for server in servers {
        words.push(server.address().to_string());
        words.push(server.process().0.to_string());
    }
    words
}
