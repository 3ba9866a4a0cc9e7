//! The log of `bolide serve`: text for people, or JSON for programs; and with the feature `otlp`, traces for a collector. What
//! is logged can be changed while the server runs.

use std::fmt;
use std::io::IsTerminal as _;
use std::str::FromStr;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, reload};

#[cfg(feature = "otlp")]
use super::otlp::{Collector, Exporter};

/// What is logged by default. The bus tells itself that NATS is lost or back, once.
const LOGGED: &str = "info,async_nats=off";

#[derive(Debug, clap::Args)]
pub(crate) struct LogArguments {
    /// What is logged: a level (error, warn, info, debug, trace, off), or levels by module such as
    /// `warn,bolide::session=debug`
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = LOGGED)]
    log: LogFilter,

    /// Form of the log on standard error: `text`, a line for people, or `json`, a JSON object on a line
    #[arg(long, env = "BOLIDE_LOG_FORMAT", value_name = "FORM", default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    /// Collector that traces are sent to over HTTP, such as `http://127.0.0.1:4318`; default: none
    #[cfg(feature = "otlp")]
    #[arg(long, env = "BOLIDE_OTLP", value_name = "URL")]
    otlp: Option<Collector>,
}

/// The form of an entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object on a line.
    Json,
}

/// The error for a text that is not the name of a form.
#[derive(Debug, thiserror::Error)]
#[error("`text` or `json` is needed")]
pub(crate) struct UnknownForm;

/// A filter, as it was written. [`EnvFilter`] cannot be cloned.
#[derive(Clone, Debug)]
struct LogFilter(String);

/// The error for a text that is not a filter.
#[derive(Debug, thiserror::Error)]
#[error("a level such as info, or levels by module such as warn,bolide::session=debug, are needed")]
pub(crate) struct NotFilter;

/// The log of this process.
pub(crate) struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    #[cfg(feature = "otlp")]
    exporter: Option<Exporter>,
}

impl FromStr for LogFormat {
    type Err = UnknownForm;

    fn from_str(name: &str) -> Result<Self, UnknownForm> {
        [Self::Text, Self::Json].into_iter().find(|form| form.name() == name).ok_or(UnknownForm)
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl LogFormat {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl LogArguments {
    /// Starts the log of the process. Call it inside of a tokio runtime.
    pub(crate) fn start(&self) -> Result<Logging, Box<dyn std::error::Error>> {
        // An internal error would be printed, which panics, where standard error is a terminal that was closed or a pipe
        // without a reader.
        let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
        let log = match self.log_format {
            LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).boxed(),
            LogFormat::Json => log.json().boxed(),
        };
        let (filter, handle) = reload::Layer::new(self.log.parsed());
        let log = log.with_filter(filter);
        #[cfg(feature = "otlp")]
        let (exporter, traces) = match &self.otlp {
            Some(collector) => {
                let exporter = Exporter::new(collector)?;
                let traces = exporter.layer();
                (Some(exporter), Some(traces))
            }
            None => (None, None),
        };
        let subscriber = Registry::default().with(log);
        #[cfg(feature = "otlp")]
        let subscriber = subscriber.with(traces);
        subscriber.try_init()?;
        Ok(Logging {
            filter: handle,
            #[cfg(feature = "otlp")]
            exporter,
        })
    }

    /// Changes what is logged.
    pub(crate) fn apply(&self, logging: &Logging) {
        if let Err(error) = logging.filter.reload(self.log.parsed()) {
            tracing::warn!("the log goes on as before (--log): {error}");
        }
    }
}

impl LogFilter {
    fn parsed(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = NotFilter;

    fn from_str(text: &str) -> Result<Self, NotFilter> {
        // A misspelled level would be taken for the name of a module, of which everything is logged, and of others nothing.
        let is_level = |part: &str| part.contains('=') || part.is_empty() || part.parse::<LevelFilter>().is_ok();
        let names_levels = text.split(',').all(|part| is_level(part.trim()));
        if names_levels && EnvFilter::try_new(text).is_ok() { Ok(Self(text.to_owned())) } else { Err(NotFilter) }
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Logging {
    /// Sends the traces that wait.
    #[cfg_attr(not(feature = "otlp"), expect(clippy::unused_async, reason = "only traces wait"))]
    pub(crate) async fn end(self) {
        #[cfg(feature = "otlp")]
        if let Some(exporter) = self.exporter {
            exporter.end().await;
        }
    }
}
