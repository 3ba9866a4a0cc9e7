//! Where a server listens: addresses, Unix sockets, and TLS.

use std::net::SocketAddr;
use std::path::PathBuf;

use bolide::{Listener, Tls, TlsError};

use super::systemd;

/// Where a server listens.
#[derive(Debug, clap::Args)]
pub(crate) struct ListenArguments {
    /// Address to listen on, such as 0.0.0.0:3000, or a Unix socket such as `unix:/run/bolide.sock`; repeat it or separate
    /// several by commas
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "BOLIDE_LISTEN",
        value_delimiter = ',',
        default_value = "127.0.0.1:3000"
    )]
    listen: Vec<String>,

    /// Mode of the file of a Unix socket, as for chmod: who may connect
    #[arg(long, value_name = "MODE", env = "BOLIDE_SOCKET_MODE", default_value_t = Mode(Listener::SOCKET_MODE))]
    socket_mode: Mode,

    /// File with the certificate of the server and those that it is signed with, in PEM: TLS is served at all addresses, and
    /// not on Unix sockets. A renewed certificate is used within a minute
    #[arg(long, value_name = "FILE", env = "BOLIDE_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// File with the private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", env = "BOLIDE_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// The mode of a file, written in octal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mode(u32);

impl ListenArguments {
    pub(crate) fn tls(&self) -> Result<Option<Tls>, TlsError> {
        self.tls_cert.as_ref().zip(self.tls_key.as_ref()).map(|(cert, key)| Tls::open(cert, key)).transpose()
    }

    /// Takes the sockets of systemd, or listens on all addresses. The error is a sentence.
    pub(crate) async fn listeners(&self, tls: Option<&Tls>) -> Result<Vec<Listener>, String> {
        let encrypted = |listener: Listener| match tls {
            Some(tls) => listener.with_tls(tls),
            None => listener,
        };
        let passed = systemd::listeners().map_err(|error| {
            format!("a socket of systemd (LISTEN_FDS) cannot be used: {error}; it must be a stream")
        })?;
        if !passed.is_empty() {
            tracing::info!("the sockets of systemd are used, and --listen is not");
            return Ok(passed.into_iter().map(encrypted).collect());
        }
        let mut listeners = Vec::new();
        for address in &self.listen {
            let listener = Listener::bind_with_mode(address, self.socket_mode.0).await.map_err(|reason| {
                format!(
                    "cannot listen on {address}: {reason}; choose another address with --listen, such as 127.0.0.1:3001"
                )
            })?;
            listeners.push(encrypted(listener));
        }
        Ok(listeners)
    }
}

/// Returns the URL with which a browser on this machine reaches a server that listens here.
pub(crate) fn root_url(listeners: &[Listener], is_tls: bool) -> String {
    match listeners.iter().find_map(Listener::local_addr) {
        Some(address) => url_of(address, is_tls),
        None => "http://localhost".to_owned(),
    }
}

fn url_of(address: SocketAddr, is_tls: bool) -> String {
    let scheme = if is_tls { "https" } else { "http" };
    if address.ip().is_unspecified() {
        format!("{scheme}://localhost:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}

impl std::str::FromStr for Mode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
        mode.map(Self).ok_or("three octal digits such as 660 are needed")
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_url_is_the_address_that_the_server_listens_on() {
        let root = |address: &str| url_of(address.parse().unwrap(), false);
        assert_eq!(root("127.0.0.1:8000"), "http://127.0.0.1:8000");
        assert_eq!(root("[::1]:8000"), "http://[::1]:8000");
        assert_eq!(root("0.0.0.0:3000"), "http://localhost:3000");
        assert_eq!(root("[::]:3000"), "http://localhost:3000");
        assert_eq!(url_of(([0, 0, 0, 0], 443).into(), true), "https://localhost:443");
    }

    #[test]
    fn a_mode_is_written_in_octal_digits() {
        assert_eq!("660".parse::<Mode>(), Ok(Mode(0o660)));
        assert_eq!(Mode(0o660).to_string(), "660");
        for text in ["", "rw", "999", "1777", "-1"] {
            assert!(text.parse::<Mode>().is_err(), "{text}");
        }
    }
}
