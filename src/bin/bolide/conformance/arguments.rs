//! The command line of `bolide conformance`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bolide::chance::{Chance as _, SystemChance};
use bolide::conformance::{Capability, Chapter, KnownFailures, Level, Mailbox, Options, Release, SockJsTransport};
use serde_json::Value;

use super::Error;

const EXIT_CODES: &str = "\
Exit codes:
  0  all cases that were run passed, or failed as expected
  1  a case failed, or passed although --expect lists it
  2  the command line is wrong, the server does not answer, or no case was run";

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    /// The server, such as `ws://localhost:3000/websocket`, `wss://chat.example.com/websocket`, or
    /// `ws://localhost:3000/sockjs` for SockJS.
    #[arg(required_unless_present = "list")]
    url: Option<String>,

    /// How to connect. Default: `sockjs` if the URL ends with `/sockjs`, otherwise `websocket`.
    #[arg(long, value_enum)]
    transport: Option<TransportName>,

    /// Trusts only the certificates in this PEM file. Default: trusts those that browsers trust.
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,

    /// Lists the selected cases with their ids and levels, and why some would be skipped. Does not connect.
    #[arg(long)]
    pub(super) list: bool,

    /// Runs only this chapter; may be repeated.
    #[arg(long, value_name = "NAME")]
    chapter: Vec<String>,

    /// Runs only the case with this id, such as `methods/12` or `'methods/*'`; may be repeated.
    #[arg(long, value_name = "ID")]
    case: Vec<String>,

    /// Runs only cases whose name contains this text; may be repeated.
    #[arg(long, value_name = "TEXT")]
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

    /// Expects the cases in this file to fail, and fails if one passes. Each line has an id, and optionally a remark.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,

    /// The maximum number of cases that run at the same time.
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    parallel: u16,

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
    #[arg(long, value_name = "DIRECTORY")]
    pub(super) cases: Option<PathBuf>,

    /// The name of the server in reports. Default: its URL.
    #[arg(long, value_name = "NAME")]
    pub(super) server_name: Option<String>,

    /// Writes a report as JSON, which `bolide conformance report` reads.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,

    /// Writes a report as XML of `JUnit`, which CI systems show.
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,

    /// Writes a report as a page of HTML.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum TransportName {
    /// A raw WebSocket, as most clients outside of browsers use it.
    #[value(name = "websocket")]
    WebSocket,
    /// SockJS in a WebSocket, as browsers use it.
    #[value(name = "sockjs")]
    SockJs,
    /// SockJS over HTTP, with one frame for each request.
    XhrPolling,
    /// SockJS over HTTP, with many frames in one answer.
    XhrStreaming,
}

impl TransportName {
    /// Returns the name, as in the needs of cases.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::SockJs => "sockjs",
            Self::XhrPolling => "xhr-polling",
            Self::XhrStreaming => "xhr-streaming",
        }
    }

    /// Returns how SockJS carries messages, or `None` for raw WebSockets.
    pub(super) const fn sockjs(self) -> Option<SockJsTransport> {
        match self {
            Self::WebSocket => None,
            Self::SockJs => Some(SockJsTransport::WebSocket),
            Self::XhrPolling => Some(SockJsTransport::XhrPolling),
            Self::XhrStreaming => Some(SockJsTransport::XhrStreaming),
        }
    }
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Compares servers: writes several reports of `--json` as one page of HTML.
    Report(ReportArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct ReportArguments {
    /// The reports, each of which becomes a column.
    #[arg(required = true, value_name = "FILE")]
    pub(super) records: Vec<PathBuf>,

    /// The page to write.
    #[arg(long, value_name = "FILE")]
    pub(super) html: PathBuf,
}

impl Arguments {
    pub(super) fn url(&self) -> Result<&str, Error> {
        self.url.as_deref().ok_or_else(|| "the URL of the server is missing".into())
    }

    pub(super) fn transport(&self) -> TransportName {
        self.transport.unwrap_or_else(|| match &self.url {
            Some(url) if url.trim_end_matches('/').ends_with("/sockjs") => TransportName::SockJs,
            _ => TransportName::WebSocket,
        })
    }

    pub(super) const fn level(&self) -> Level {
        self.level
    }

    pub(super) const fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms)
    }

    pub(super) fn options(&self) -> Options {
        let mut options = Options::new(&salt())
            .level(self.level)
            .slow(self.slow)
            .parallel(self.parallel.into())
            .linger(Duration::from_millis(self.linger_ms))
            .patience(self.patience())
            .server("transport", self.transport().name());
        for (name, value) in &self.need {
            options = options.server(name, value.clone());
        }
        for chapter in &self.chapter {
            options = options.chapter(chapter);
        }
        for pattern in &self.case {
            options = options.case(pattern);
        }
        for name in &self.name {
            options = options.name(name);
        }
        for capability in &self.without {
            options = options.without(*capability);
        }
        for release in &self.version_of {
            options = options.version_of(release.clone());
        }
        if self.smtp.is_some() {
            options = options.server("mail", true);
        }
        options
    }

    /// Reads the cases that are expected to fail, all of which must occur in `book`.
    pub(super) fn known_failures(&self, book: &[Chapter]) -> Result<KnownFailures, Error> {
        let Some(file) = &self.expect else {
            return Ok(KnownFailures::default());
        };
        let known = KnownFailures::from_file(file)?;
        known.check(book)?;
        Ok(known)
    }

    /// Opens the mailbox, if there is one.
    pub(super) async fn mailbox(&self, options: Options) -> Result<Options, Error> {
        let Some(address) = self.smtp else {
            return Ok(options);
        };
        let opened = Mailbox::open(address).await;
        let mailbox = opened.map_err(|error| {
            format!("cannot receive mail at {address}: {error}; choose another address with --smtp")
        })?;
        Ok(options.mailbox(mailbox))
    }
}

/// Returns a text that is different in every run.
pub(super) fn salt() -> String {
    let mut salt = [0; 8];
    SystemChance.fill(&mut salt);
    format!("{:016x}", u64::from_le_bytes(salt))
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
    match name {
        "transport" => return Err("the URL and --transport declare the transport".into()),
        "mail" => return Err("--smtp ADDRESS declares that the server sends mail".into()),
        _ => {}
    }
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}
