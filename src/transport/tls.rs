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

/// The time between two looks at the files.
const BETWEEN_LOOKS: Duration = Duration::from_mins(1);

/// The timeout of a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum number of handshakes under way, and of those of one network. Each holds up to 64 KiB. Further connections are
/// closed; they count as connections from the moment that they are accepted.
const HANDSHAKES: Maximum = Maximum { name: "tls_handshakes", count: 4_096 };
const HANDSHAKES_PER_NETWORK: Maximum = Maximum { name: "tls_handshakes_per_network", count: 512 };

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
        let (certificate, key) = (certificate.into(), key.into());
        let current = ArcSwap::from_pointee(Loaded::read(&certificate, &key)?);
        let handshakes = Shares::new(HANDSHAKES, HANDSHAKES_PER_NETWORK);
        Ok(Self { shared: Arc::new(Shared { certificate, key, current, handshakes }) })
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

    /// Reads the files again every minute.
    pub(super) async fn watch(&self) {
        loop {
            sleep(BETWEEN_LOOKS).await;
            let own = self.clone();
            match tokio::task::spawn_blocking(move || own.reload()).await {
                Ok(Ok(true)) => tracing::info!("the renewed certificate is used for new connections"),
                Ok(Ok(false)) | Err(_) => {}
                Ok(Err(error)) => tracing::warn!("the certificate is not renewed: {error}"),
            }
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
        timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)).await.ok()?.ok()
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
