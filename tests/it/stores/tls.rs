//! Connections to PostgreSQL over TLS, as the address asks for.

use std::path::PathBuf;

use bolide::store::{OpenError, SqlStore};
use bolide_test_servers::Postgres;
use data_encoding::BASE64;

const CERTIFICATE: &[u8] = include_bytes!("../certificate/certificate.pem");
/// The key of a certificate for `localhost` that only these tests trust.
const KEY: &[u8] = include_bytes!("../certificate/key.pem");

/// Runs statements, and returns what they print.
fn psql(server: &Postgres, statements: &[&str]) -> String {
    let mut psql = server.program("psql");
    psql.args(["-qAtv", "ON_ERROR_STOP=1", "-d", "postgres"]);
    for statement in statements {
        psql.args(["-c", statement]);
    }
    let output = psql.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Writes a file as the user of the server, which alone may read its key.
fn give(server: &Postgres, name: &str, bytes: &[u8]) {
    let text = BASE64.encode(bytes);
    psql(server, &[&format!("COPY (SELECT '{text}') TO PROGRAM 'base64 -d > {name}'")]);
}

async fn refused(address: &str) -> String {
    match SqlStore::open(address).await {
        Err(error @ OpenError::Unreachable { .. }) => error.to_string(),
        other => panic!("{address} is not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_says_whether_connections_are_encrypted_and_the_certificate_is_checked() {
    // The oldest is that of the system. Others may be built without TLS.
    let server = Postgres::versions().remove(0).private();
    let encrypted = format!("postgres://bolide@localhost:{}/postgres?sslmode=verify-full", server.port());
    assert!(refused(&encrypted).await.contains("--database"), "the server has no certificate yet");
    give(&server, "server.crt", CERTIFICATE);
    give(&server, "server.key", KEY);
    psql(&server, &["ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"]);

    let error = refused(&encrypted).await;
    assert!(error.contains("ertificate"), "nobody vouches for it: {error}");
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("authority-{}.pem", std::process::id()));
    std::fs::write(&file, CERTIFICATE).unwrap();
    let trusted = format!("{encrypted}&sslrootcert={}", file.display());
    let other_name = trusted.replace("localhost", "127.0.0.1");
    assert!(refused(&other_name).await.contains("ertificate"), "it is for `localhost`");
    let store = SqlStore::open(&trusted).await.unwrap();
    let connections = "SELECT count(*) FILTER (WHERE ssl) > 0 AND count(*) FILTER (WHERE NOT ssl) = 0 \
         FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE 'bolide %'";
    assert_eq!(psql(&server, &[connections]), "t\n", "all connections are encrypted");
    drop(store);
    std::fs::remove_file(file).unwrap();
}
