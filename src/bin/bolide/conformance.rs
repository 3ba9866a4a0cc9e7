//! `bolide conformance URL`: runs the conformance cases and prints a table by chapter. The exit code is 1 if a case
//! failed, and 2 if the cases could not be run.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bolide::chance::{Chance as _, SystemChance};
use bolide::conformance::{Capability, Level, Mailbox, Options, Release, Report, SockJs, WebSocket, book, run as play};
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The server, such as `ws://localhost:3000/websocket`, or `ws://localhost:3000/sockjs` for SockJS.
    url: String,

    /// Runs only this chapter; may be repeated.
    #[arg(long)]
    chapter: Vec<String>,

    /// Runs only cases whose name contains this; may be repeated.
    #[arg(long = "case")]
    name: Vec<String>,

    /// Which cases to run: `core` has what the DDP specification says, `ddp` adds what clients rely on, `meteor` adds
    /// Meteor's choices where DDP allows several and its accounts, `rocketchat` adds the second factor and REST, and
    /// `bolide` adds Bolide's own rules.
    #[arg(long, default_value_t = Level::Ddp)]
    level: Level,

    /// Does not run the cases that need this capability, such as `accounts`; may be repeated. Capabilities that the
    /// application does not declare are left out as well.
    #[arg(long, value_name = "CAPABILITY")]
    without: Vec<Capability>,

    /// Does not run the cases for later versions of this product, such as `meteor=3.1`; may be repeated.
    #[arg(long, value_name = "PRODUCT=VERSION", value_parser = release)]
    version_of: Vec<Release>,

    /// Also runs cases that take longer than a few seconds.
    #[arg(long)]
    slow: bool,

    /// Declares how the server was started, for the cases that need it, such as `heartbeatIntervalMs=400` with
    /// `heartbeatTimeoutMs=400`, or `httpForwardedCount=1`; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = need)]
    need: Vec<(String, Value)>,

    /// For how long a case listens to its connections after its last step, in milliseconds.
    #[arg(long, default_value_t = 20)]
    linger_ms: u64,

    /// Timeout for an expected message, in milliseconds.
    #[arg(long, default_value_t = 5000)]
    patience_ms: u64,

    /// Receives the server's mail at this address, such as `127.0.0.1:2525`, for the cases that read mail. The server
    /// must be configured to send its mail there: `--smtp smtp://127.0.0.1:2525` for the example `conformance_server`.
    #[arg(long, value_name = "ADDRESS")]
    smtp: Option<SocketAddr>,

    /// Runs the cases in this directory instead of the built-in ones.
    #[arg(long)]
    cases: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    match play_all(arguments).await {
        Ok(report) if report.is_success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            // Standard error may be closed; the exit code tells as well.
            let _closed = writeln!(io::stderr(), "bolide: {error}");
            ExitCode::from(2)
        }
    }
}

async fn play_all(arguments: Arguments) -> Result<Report, Box<dyn std::error::Error>> {
    let chapters = match &arguments.cases {
        Some(directory) => book::from_directory(directory)?,
        None => book::embedded()?,
    };
    let options = options(&arguments).await?;
    let report = if arguments.url.trim_end_matches('/').ends_with("/sockjs") {
        play(&SockJs::new(&arguments.url)?, &chapters, &options.server("transport", "sockjs")).await
    } else {
        play(&WebSocket::new(&arguments.url)?, &chapters, &options).await
    };
    report.write(&mut io::stdout().lock())?;
    Ok(report)
}

async fn options(arguments: &Arguments) -> Result<Options, String> {
    let mut salt = [0; 8];
    SystemChance.fill(&mut salt);
    let mut options = Options::new(&format!("{:016x}", u64::from_le_bytes(salt)))
        .level(arguments.level)
        .slow(arguments.slow)
        .linger(Duration::from_millis(arguments.linger_ms))
        .patience(Duration::from_millis(arguments.patience_ms));
    for (name, value) in &arguments.need {
        options = options.server(name, value.clone());
    }
    for chapter in &arguments.chapter {
        options = options.chapter(chapter);
    }
    for name in &arguments.name {
        options = options.name(name);
    }
    for capability in &arguments.without {
        options = options.without(*capability);
    }
    for release in &arguments.version_of {
        options = options.version_of(release.clone());
    }
    if let Some(address) = arguments.smtp {
        let opened = Mailbox::open(address).await;
        options = options.mailbox(opened.map_err(|error| {
            format!("cannot receive mail at {address}: {error}; choose another address with --smtp")
        })?);
    }
    Ok(options)
}

fn release(text: &str) -> Result<Release, String> {
    match text.split_once('=') {
        Some((product, version)) => Release::new(product, version),
        None => Err("a version has the form meteor=3.1".into()),
    }
}

/// Reads `NAME=VALUE`. A value that is not JSON is a string.
fn need(text: &str) -> Result<(String, Value), String> {
    let (name, value) =
        text.split_once('=').ok_or("a need has the form NAME=VALUE, such as heartbeatIntervalMs=400")?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}
