//! `--metrics-listen`: the listener of the metrics, next to that of the clients.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;

use bolide::App;
use tokio::net::TcpListener;

/// The metrics of a server.
#[derive(Debug, clap::Args)]
pub(crate) struct MetricsArguments {
    /// Address at which `/metrics` is served to Prometheus, as PORT, which is reached from this machine only, or HOST:PORT;
    /// default: the metrics are not served
    #[arg(long, value_name = "ADDRESS", env = "BOLIDE_METRICS_LISTEN")]
    metrics_listen: Option<MetricsAddress>,
}

/// An address with a port. Without a host it is one of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MetricsAddress(String);

/// The error for a text that is not an address of this kind.
#[derive(Debug)]
pub(crate) struct NoAddress;

impl MetricsArguments {
    /// Listens, if the metrics are to be served, and prints the address.
    pub(crate) async fn listen(&self) -> Result<Option<TcpListener>, Box<dyn std::error::Error>> {
        let Some(MetricsAddress(address)) = &self.metrics_listen else { return Ok(None) };
        let listener = bolide::bind(address).await.map_err(|reason| {
            format!(
                "cannot listen on {address}: {reason}; choose another address with --metrics-listen, such as 127.0.0.1:9464"
            )
        })?;
        writeln!(std::io::stdout(), "metrics on http://{}/metrics", listener.local_addr()?)?;
        Ok(Some(listener))
    }
}

/// Serves the metrics as long as the clients are served.
pub(crate) async fn serve_beside(app: &App, metrics: Option<TcpListener>, clients: impl Future<Output = ()>) {
    let Some(metrics) = metrics else { return clients.await };
    tokio::select! {
        () = clients => {}
        () = app.serve_metrics_on(metrics, std::future::pending()) => {}
    }
}

impl FromStr for MetricsAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let (host, port) = match text.rsplit_once(':') {
            None | Some(("", _)) => ("127.0.0.1", text.trim_start_matches(':')),
            Some(parts) => parts,
        };
        // The address of IPv6 has colons itself, and is written in brackets.
        let is_host = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        if is_host && is_port { Ok(Self(format!("{host}:{port}"))) } else { Err(NoAddress) }
    }
}

impl fmt::Display for NoAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("it takes PORT or HOST:PORT, such as 9464 or 127.0.0.1:9464")
    }
}

impl std::error::Error for NoAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_this_machine() {
        let parsed = |text: &str| text.parse::<MetricsAddress>().map(|MetricsAddress(address)| address).ok();
        for (text, address) in [
            ("9464", "127.0.0.1:9464"),
            (":9464", "127.0.0.1:9464"),
            ("0.0.0.0:9464", "0.0.0.0:9464"),
            ("[::1]:0", "[::1]:0"),
            ("localhost:9464", "localhost:9464"),
        ] {
            assert_eq!(parsed(text).as_deref(), Some(address), "{text}");
        }
        for text in ["", ":", "localhost", "localhost:", "127.0.0.1:99999", "::1:9464", "http://127.0.0.1:9464", "a:+1"]
        {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
