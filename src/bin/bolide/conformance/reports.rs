//! The files that `bolide conformance` writes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use bolide::clock::{Clock as _, SystemClock};
use bolide::conformance::{Record, Report, Subject, page};

use super::Error;
use super::arguments::{Arguments, ReportArguments};

/// Writes the reports that the arguments name.
pub(super) fn write(arguments: &Arguments, report: &Report) -> Result<(), Error> {
    let record = Record::new(report, subject(arguments)?);
    if let Some(path) = &arguments.json {
        write_to(path, |out| record.write_json(out))?;
    }
    if let Some(path) = &arguments.junit {
        write_to(path, |out| record.write_junit(out))?;
    }
    if let Some(path) = &arguments.html {
        write_to(path, |out| out.write_all(page(std::slice::from_ref(&record)).as_bytes()))?;
    }
    Ok(())
}

/// `bolide conformance report`: writes one page about several records.
pub(super) fn compare(arguments: &ReportArguments) -> Result<(), Error> {
    let records: Vec<Record> =
        arguments.records.iter().map(|path| Record::from_file(path)).collect::<Result<_, _>>()?;
    write_to(&arguments.html, |out| out.write_all(page(&records).as_bytes()))
}

fn subject(arguments: &Arguments) -> Result<Subject, Error> {
    let address = arguments.url()?.to_owned();
    Ok(Subject {
        name: arguments.server_name.clone().unwrap_or_else(|| address.clone()),
        address,
        transport: arguments.transport().name().to_owned(),
        level: arguments.level(),
        date: SystemClock.now().to_date().to_iso_string().unwrap_or_default(),
    })
}

fn write_to(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), Error> {
    let written = File::create(path).map(BufWriter::new).and_then(|mut out| {
        write(&mut out)?;
        out.flush()
    });
    written.map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}
