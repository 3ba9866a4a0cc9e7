//! The servers that are compared, and the load generator: this program or another, each a process of its own.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Failure;
use crate::child::{OpenFiles, Placement, RunningServer, pinned};
use crate::floor::Variant;
use crate::release;

/// A server to be measured.
#[derive(Clone)]
pub(crate) enum Server {
    Floor(Variant),
    Bolide(PathBuf),
}

impl Server {
    pub(crate) fn start(&self, placement: Placement) -> Result<RunningServer, Failure> {
        let mut command = self.command(placement.server)?;
        command.env("RUST_LOG", "warn");
        RunningServer::start(command)
    }

    fn command(&self, core: Option<usize>) -> Result<Command, Failure> {
        let this = env::current_exe()?;
        let command = match self {
            Self::Floor(variant) => pinned(core, OpenFiles::ALL, this.as_os_str(), [variant.name()]),
            Self::Bolide(program) => pinned(core, OpenFiles::ALL, program.as_os_str(), ["--listen", "127.0.0.1:0"]),
        };
        Ok(command)
    }
}

/// Runs this program again as a load generator, and gives what it printed.
pub(crate) fn run_generator(placement: Placement, arguments: &[String]) -> Result<String, Failure> {
    let this = env::current_exe()?;
    let output = pinned(placement.load, OpenFiles::ALL, this.as_os_str(), arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the load generator ended with {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Builds the conformance server beside this program and says where it is.
pub(crate) fn build_conformance_server() -> Result<PathBuf, Failure> {
    release::build("conformance-server", ["--example", "conformance_server"], "examples/conformance_server")
}
