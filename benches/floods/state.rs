//! What a server holds at one moment.

use std::fs;

use crate::Failure;
use crate::process::Process;
use crate::server::DataDirectory;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Bytes of resident memory.
    pub(crate) memory: u64,
    /// The number of open descriptors.
    pub(crate) files: usize,
    /// Bytes of the files of the database.
    pub(crate) disk: u64,
}

impl State {
    pub(crate) fn of(server: Process, data: &DataDirectory) -> Result<Self, Failure> {
        let ended = |error| format!("the server has ended ({error})");
        Ok(Self {
            memory: server.resident_memory().map_err(ended)?,
            files: fs::read_dir(format!("/proc/{}/fd", server.0))?.count(),
            disk: data.size()?,
        })
    }
}
