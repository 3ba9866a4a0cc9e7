//! The command line: what a person may say, and what the program says to itself when it starts itself again.

use std::fmt::Write as _;
use std::path::Path;

use crate::Failure;
use crate::attack;
use crate::comparison::Comparison;
use crate::flood::{self, FLOODS};
use crate::measurement::Times;
use crate::server::Program;
use crate::visitor;
use crate::words::Words;

const USAGE: &str = "\
Floods Bolide's server, and measures what it holds and what other clients notice.

    cargo bench --bench floods -- [FLOOD…] [OPTION…]

Options:
    --quick            3 s of each flood instead of 8 s, and 3 s until the last look instead of 10 s
    --server PATH      a built `bolide` or conformance server; default: `bolide` is built
    --before PATH      another one, such as an older commit's, in the same run

The exit code is non-zero if the server did not bear a flood (`--before` is not judged).

Floods (all, if none is named):
";

/// The first words of what the program says to itself.
pub(crate) const ATTACK: &str = "attack";
pub(crate) const VISIT: &str = "visit";

pub(crate) enum Arguments {
    Explain,
    /// Another tool asks for tests, of which there are none here.
    DoNothing,
    Compare(Comparison),
    Attack(attack::Plan),
    Visit(visitor::Plan),
}

pub(crate) fn usage() -> String {
    let mut text = USAGE.to_owned();
    for flood in FLOODS {
        // Writing to a string does not fail.
        let _written = writeln!(text, "    {:<18} {}", flood.name, flood.about);
    }
    text
}

impl Arguments {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut words = Words(arguments.collect::<Vec<_>>().into_iter());
        match words.0.as_slice().first().map(String::as_str) {
            // `cargo test --benches` gives no argument, nextest asks for a list: neither wants a measurement.
            None | Some("--list") => Ok(Self::DoNothing),
            Some(ATTACK) => Ok(Self::Attack(attack_plan(&mut words)?)),
            Some(VISIT) => Ok(Self::Visit(visit_plan(&mut words)?)),
            Some(_) => compare(words),
        }
    }
}

fn compare(mut words: Words) -> Result<Arguments, Failure> {
    let mut comparison = Comparison { floods: vec![], server: None, before: None, times: Times::FULL };
    while let Some(word) = words.0.next() {
        match word.as_str() {
            // Cargo passes this to every benchmark.
            "--bench" => {}
            "--help" | "-h" => return Ok(Arguments::Explain),
            "--quick" => comparison.times = Times::QUICK,
            "--server" => comparison.server = Some(program(&words.value(&word)?)?),
            "--before" => comparison.before = Some(program(&words.value(&word)?)?),
            name => comparison.floods.push(flood::named(name)?),
        }
    }
    if comparison.floods.is_empty() {
        comparison.floods = FLOODS.iter().collect();
    }
    Ok(Arguments::Compare(comparison))
}

fn program(path: &str) -> Result<Program, Failure> {
    let path = Path::new(path).canonicalize().map_err(|error| format!("`{path}`: {error}"))?;
    Ok(Program::at(path))
}

fn attack_plan(words: &mut Words) -> Result<attack::Plan, Failure> {
    words.value(ATTACK)?;
    let flood = flood::named(&words.value(ATTACK)?)?;
    Ok(attack::Plan { flood, server: words.number(ATTACK)?, duration: words.duration(ATTACK)? })
}

fn visit_plan(words: &mut Words) -> Result<visitor::Plan, Failure> {
    words.value(VISIT)?;
    Ok(visitor::Plan { server: words.number(VISIT)?, duration: words.duration(VISIT)? })
}
