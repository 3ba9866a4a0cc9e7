//! The client over TLS.

use std::sync::Arc;

use bolide::client::{Client, ConnectError};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::application::application;
use crate::server::Server;
use crate::waiting::soon;

pub(crate) const CERTIFICATE: &[u8] = include_bytes!("certificate/certificate.pem");
/// The key of a certificate for `localhost` that only these tests trust.
pub(crate) const KEY: &[u8] = include_bytes!("certificate/key.pem");

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(CERTIFICATE).expect("a certificate")
}

/// Starts a TLS proxy in front of a server, and returns its port.
pub(crate) async fn encrypt(server: &Server) -> u16 {
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = config.with_no_client_auth().with_single_cert(vec![certificate()], key).expect("they belong together");
    let (acceptor, server) = (TlsAcceptor::from(Arc::new(config)), server.address);
    let listener = TcpListener::bind("localhost:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut client) = acceptor.accept(stream).await else { continue };
            let mut server = TcpStream::connect(server).await.expect("a server");
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    port
}

pub(crate) fn trusting() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate()).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

#[tokio::test]
async fn calls_go_over_tls() {
    let server = Server::start(application()).await;
    let address = format!("wss://localhost:{}", encrypt(&server).await);
    let client = soon(Client::builder(&address).tls(trusting()).connect()).await.expect("a session");
    let sum: u64 = soon(client.call("add", &(1, 2)).into_future()).await.expect("a sum");
    assert_eq!(sum, 3);
    soon(client.close()).await;
}

#[tokio::test]
async fn an_untrusted_certificate_is_rejected() {
    let server = Server::start(application()).await;
    let address = format!("wss://localhost:{}", encrypt(&server).await);
    let error = soon(Client::connect(&address)).await.expect_err("a stranger");
    assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
}
