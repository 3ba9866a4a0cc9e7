//! How a server is connected with the other nodes of its cluster.

use std::path::PathBuf;

use bolide::AppBuilder;
use bolide::bus::{ClusterName, NatsBus, PostgresBus};

/// The bus of a server.
#[derive(Debug, clap::Args)]
pub(crate) struct ClusterArguments {
    /// URL of a NATS server, over which nodes that share a database tell each other of changes: `nats://HOST:4222`, or
    /// `tls://HOST:4222` to refuse connections without TLS; repeat it or separate several by commas; default: the notifications of a PostgreSQL database
    #[arg(long, value_name = "URL", env = "BOLIDE_NATS", hide_env_values = true, value_delimiter = ',', value_parser = nats_server)]
    nats: Vec<String>,

    /// File with the credentials for NATS: one line, USER:PASSWORD or a token
    #[arg(long, value_name = "FILE", env = "BOLIDE_NATS_CREDENTIALS", requires = "nats")]
    nats_credentials: Option<PathBuf>,

    /// Name of the cluster: the nodes that share a database. Clusters with different names can share a NATS server
    #[arg(long, value_name = "NAME", env = "BOLIDE_CLUSTER", default_value_t)]
    cluster: ClusterName,
}

impl ClusterArguments {
    /// Connects the app with the other nodes: over NATS, or through the database if several nodes can share it.
    pub(crate) fn connect(
        &self,
        app: AppBuilder,
        shared_database: Option<&str>,
    ) -> Result<AppBuilder, Box<dyn std::error::Error>> {
        let app = app.cluster(self.cluster.clone());
        Ok(match (self.nats()?, shared_database) {
            (Some(bus), _) => app.bus(bus),
            (None, Some(url)) => app.bus(PostgresBus::new(url)?),
            (None, None) => app,
        })
    }

    fn nats(&self) -> Result<Option<NatsBus>, Box<dyn std::error::Error>> {
        if self.nats.is_empty() {
            return Ok(None);
        }
        let bus = NatsBus::new(&self.nats)?;
        let Some(file) = &self.nats_credentials else { return Ok(Some(bus)) };
        let text = std::fs::read_to_string(file).map_err(|error| {
            format!("the file {} cannot be read ({error}); --nats-credentials sets another", file.display())
        })?;
        Ok(Some(bus.credentials(text.parse()?)))
    }
}

/// Returns the text if it names a NATS server. The error does not quote it: it may have a password.
fn nats_server(text: &str) -> Result<String, &'static str> {
    const NEEDED: &str = "a server such as nats://HOST:4222 or tls://HOST:4222 is needed";
    let (scheme, rest) = text.split_once("://").unwrap_or(("nats", text));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let is_host = !host.is_empty() && host.chars().all(|letter| letter.is_alphanumeric() || "-._:[]".contains(letter));
    if matches!(scheme, "nats" | "tls") && is_host { Ok(text.to_owned()) } else { Err(NEEDED) }
}
