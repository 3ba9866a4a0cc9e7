//! The log of `bolide serve`: text for people, or JSON for programs; and with the feature `otlp`, traces for a collector.

use std::fmt;
use std::io::IsTerminal as _;
use std::str::FromStr;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

#[cfg(feature = "otlp")]
use super::otlp::{Collector, Exporter};

/// What is logged if the variable `RUST_LOG` does not say. The bus tells itself that NATS is lost or back, once.
const LOGGED: &str = "info,async_nats=off";

#[derive(Debug, clap::Args)]
pub(crate) struct LogArguments {
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

/// The error for a text that is no form.
#[derive(Debug, thiserror::Error)]
#[error("`text` or `json` is needed")]
pub(crate) struct UnknownForm;

/// What has to end after the server.
pub(crate) struct Logging {
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
        let log = match self.log_format {
            LogFormat::Text => tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal())
                .boxed(),
            LogFormat::Json => tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr).boxed(),
        };
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
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
            #[cfg(feature = "otlp")]
            exporter,
        })
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
