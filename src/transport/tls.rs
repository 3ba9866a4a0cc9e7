//! [`Tls`]: the certificate of a server, which is read again when its files change, and the handshakes of clients.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::clock::Timestamp;
use crate::shares::{Maximum, Shares, Source};

/// The bounds of handshakes, and how often the files are read.
#[derive(Clone, Copy)]
struct Bounds {
    /// The time between two looks at the files.
    between_looks: Duration,
    /// The timeout of a handshake.
    handshake: Duration,
    /// The maximum number of handshakes under way, and of those of one network. Each holds up to 64 KiB. Further connections
    /// are closed; they count as connections from the moment that they are accepted.
    handshakes: usize,
    handshakes_per_network: usize,
}

const BOUNDS: Bounds = Bounds {
    between_looks: Duration::from_mins(1),
    handshake: Duration::from_secs(10),
    handshakes: 4_096,
    handshakes_per_network: 512,
};

/// The certificate of a server with its key, for [`Listener::with_tls`](crate::Listener::with_tls). Cheap to clone.
///
/// While a server runs, it looks at the files once a minute and uses what has changed for new connections.
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

struct Shared {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<Loaded>,
    bounds: Bounds,
    handshakes: Arc<Shares>,
}

struct Loaded {
    config: Arc<ServerConfig>,
    /// Of both files.
    digest: [u8; 32],
}

/// The error for files that are not a certificate and its key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("the file {} ({flag}) cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The flag of `bolide serve` that names the file.
        flag: &'static str,
        /// The error of the system.
        reason: std::io::Error,
    },
    /// A file has no certificate or key.
    #[error("the file {} ({flag}) has no {expected} in PEM", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The flag of `bolide serve` that names the file.
        flag: &'static str,
        /// What it should have.
        expected: &'static str,
    },
    /// The certificate and the key do not belong together, or are of a kind that is not supported.
    #[error("the certificate {} (--tls-cert) and the key {} (--tls-key) cannot be used: {reason}", certificate.display(), key.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// The error of rustls.
        reason: rustls::Error,
    },
}

impl Tls {
    /// Reads a certificate with the certificates that it is signed with, and its private key, both in PEM.
    ///
    /// # Errors
    /// Returns [`TlsError`] if the files cannot be read or used.
    pub fn open(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        Self::open_with(BOUNDS, certificate.into(), key.into())
    }

    fn open_with(bounds: Bounds, certificate: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let current = ArcSwap::from_pointee(Loaded::read(&certificate, &key)?);
        let handshakes = Shares::new(
            Maximum { name: "tls_handshakes", count: bounds.handshakes },
            Maximum { name: "tls_handshakes_per_network", count: bounds.handshakes_per_network },
        );
        Ok(Self { shared: Arc::new(Shared { certificate, key, current, bounds, handshakes }) })
    }

    /// Reads the files again. New connections use what has changed, and open ones go on with what they began with. Returns
    /// whether the files have changed.
    ///
    /// # Errors
    /// Returns [`TlsError`] if the files cannot be read or used. Then nothing changes.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let Shared { certificate, key, current, .. } = &*self.shared;
        let loaded = Loaded::read(certificate, key)?;
        let is_changed = loaded.digest != current.load().digest;
        if is_changed {
            current.store(Arc::new(loaded));
        }
        Ok(is_changed)
    }

    /// Does the same off the threads of the runtime, and logs the outcome.
    pub async fn renew(&self) {
        let own = self.clone();
        match tokio::task::spawn_blocking(move || own.reload()).await {
            Ok(Ok(true)) => tracing::info!("the renewed certificate is used for new connections"),
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) => tracing::warn!("the certificate is not renewed: {error}"),
        }
    }

    /// Reads the files again every minute.
    pub(super) async fn watch(&self) {
        loop {
            sleep(self.shared.bounds.between_looks).await;
            self.renew().await;
        }
    }

    /// Waits for the handshake of a client. Returns `None` if it fails, takes too long, or if there are too many.
    pub(super) async fn accept(
        &self,
        socket: TcpStream,
        source: Source,
        now: Timestamp,
    ) -> Option<TlsStream<TcpStream>> {
        let _share = self.shared.handshakes.take(source, now)?;
        let acceptor = TlsAcceptor::from(Arc::clone(&self.shared.current.load().config));
        timeout(self.shared.bounds.handshake, acceptor.accept(socket)).await.ok()?.ok()
    }
}

impl Loaded {
    fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let certificate_text = bytes(certificate, "--tls-cert")?;
        let key_text = bytes(key, "--tls-key")?;
        let digest =
            Sha256::new().chain_update(Sha256::digest(&certificate_text)).chain_update(&key_text).finalize().into();
        let malformed = |path: &Path, flag, expected| TlsError::Malformed { path: path.to_owned(), flag, expected };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&certificate_text).flatten().collect();
        if chain.is_empty() {
            return Err(malformed(certificate, "--tls-cert", "certificate"));
        }
        let private =
            PrivateKeyDer::from_pem_slice(&key_text).map_err(|_| malformed(key, "--tls-key", "private key"))?;
        let config = config(chain, private).map_err(|reason| TlsError::Unusable {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            reason,
        })?;
        Ok(Self { config: Arc::new(config), digest })
    }
}

fn bytes(path: &Path, flag: &'static str) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|reason| TlsError::Unreadable { path: path.to_owned(), flag, reason })
}

fn config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_no_client_auth().with_single_cert(chain, key)?;
    // The only version of HTTP that is served.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("certificate", &self.shared.certificate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::pin::pin;

    use futures::poll;
    use tokio::net::TcpListener;

    use super::*;
    use crate::peer::Network;

    const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/certificate/certificate.pem");
    const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/certificate/key.pem");
    const NOW: Timestamp = Timestamp::from_milliseconds(0);
    /// The timeout of a test.
    const SOON: Duration = Duration::from_secs(10);

    fn tls(bounds: Bounds) -> Tls {
        Tls::open_with(bounds, CERTIFICATE.into(), KEY.into()).unwrap()
    }

    fn network(number: u8) -> Source {
        Source::Network(Network::of(Ipv4Addr::new(192, 0, 2, number).into()))
    }

    /// Returns an accepted socket and its client, which says nothing.
    async fn silent() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.unwrap().0, client)
    }

    fn under_way(tls: &Tls) -> Option<usize> {
        tls.shared.handshakes.usage()[0].held
    }

    #[tokio::test]
    async fn a_silent_handshake_ends_with_the_timeout() {
        let tls = tls(Bounds { handshake: Duration::from_millis(20), ..BOUNDS });
        let (socket, _client) = silent().await;
        let mut handshake = pin!(tls.accept(socket, network(1), NOW));
        assert!(poll!(&mut handshake).is_pending());
        assert_eq!(under_way(&tls), Some(1));
        assert!(timeout(SOON, handshake).await.unwrap().is_none());
        assert_eq!(under_way(&tls), Some(0));
    }

    #[tokio::test]
    async fn handshakes_are_bounded_in_total_and_by_network() {
        let tls = tls(Bounds { handshakes: 2, handshakes_per_network: 1, ..BOUNDS });
        let (socket, client) = silent().await;
        let mut first = Box::pin(tls.accept(socket, network(1), NOW));
        assert!(poll!(&mut first).is_pending());
        // The socket of a refused handshake is closed, and its client is not answered.
        let (socket, refused) = silent().await;
        assert!(tls.accept(socket, network(1), NOW).await.is_none(), "the share of the network is used up");
        refused.readable().await.unwrap();
        assert_eq!(refused.try_read(&mut [0]).unwrap(), 0);
        let (socket, _second) = silent().await;
        let mut second = Box::pin(tls.accept(socket, network(2), NOW));
        assert!(poll!(&mut second).is_pending());
        assert!(tls.accept(silent().await.0, network(3), NOW).await.is_none(), "all are used up");
        drop(client);
        assert!(timeout(SOON, first).await.unwrap().is_none());
        let (socket, _third) = silent().await;
        assert!(poll!(Box::pin(tls.accept(socket, network(3), NOW))).is_pending());
    }

    #[tokio::test]
    async fn the_files_are_read_again_by_themselves_also_after_an_error() {
        let directory = std::env::temp_dir().join(format!("bolide-renewal-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
        std::fs::copy(CERTIFICATE, &certificate).unwrap();
        std::fs::copy(KEY, &key).unwrap();
        let bounds = Bounds { between_looks: Duration::from_millis(1), ..BOUNDS };
        let tls = Tls::open_with(bounds, certificate.clone(), key.clone()).unwrap();
        let first = tls.shared.current.load().digest;
        std::fs::remove_file(&key).unwrap();
        let steps = async {
            // A look takes place in it, which finds no key.
            sleep(Duration::from_millis(50)).await;
            assert_eq!(tls.shared.current.load().digest, first);
            let chain = std::fs::read_to_string(CERTIFICATE).unwrap().repeat(2);
            std::fs::write(&certificate, chain).unwrap();
            std::fs::copy(KEY, &key).unwrap();
            while tls.shared.current.load().digest == first {
                sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            () = tls.watch() => panic!("it goes on"),
            outcome = timeout(SOON, steps) => outcome.unwrap(),
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
