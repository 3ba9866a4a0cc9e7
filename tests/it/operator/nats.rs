//! `bolide serve --nats`: nodes as processes, with credentials and TLS.

use std::io::Read as _;
use std::process::Stdio;

use bolide_test_servers::Nats;

use super::{Data, Serving, bolide, complaint};
use crate::http::request;
use crate::waiting::soon;

/// Starts a node with a bus, and waits until it has joined.
async fn joins(data: &Data, arguments: &[&str], environment: &[(&str, &str)]) -> Serving {
    let mut command = data.bolide(&["serve", "--listen", "127.0.0.1:0"]);
    command.args(arguments).envs(environment.iter().copied());
    let serving = Serving::start(command);
    let ready = async {
        loop {
            let answer = request(serving.address, "GET", "/ready", &[], "").await;
            if answer.body().await == r#"{"degraded":[],"status":"ready"}"# {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    soon(ready).await;
    serving
}

#[tokio::test]
async fn a_server_joins_the_bus_with_a_file_of_credentials() {
    let nats = Nats::start_with(&["--user", "bolide", "--pass", "s3cret"]);
    let data = Data::new("nats-credentials");
    let file = data.directory.join("nats");
    std::fs::write(&file, "bolide:s3cret\n").unwrap();
    let file = file.display().to_string();
    joins(&data, &["--nats", &nats.url(), "--nats-credentials", &file, "--cluster", "chat"], &[]).await;
}

#[tokio::test]
async fn a_server_joins_the_bus_over_tls_if_it_trusts_the_certificate() {
    let certificates = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/certificate");
    let (certificate, key) = (format!("{certificates}/certificate.pem"), format!("{certificates}/key.pem"));
    let nats = Nats::start_with(&["--tls", "--tlscert", &certificate, "--tlskey", &key]);
    let url = format!("tls://localhost:{}", nats.port());
    let data = Data::new("nats-tls");
    drop(joins(&data, &["--nats", &url], &[("SSL_CERT_FILE", &certificate)]).await);
    // One that does not trust it, and one that wants TLS of a server that has none.
    let plain = Nats::start();
    for url in [url, format!("tls://localhost:{}", plain.port())] {
        let mut command = data.bolide(&["serve", "--listen", "127.0.0.1:0"]);
        let serving = Serving::start({
            command.env("BOLIDE_NATS", &url);
            command
        });
        let degraded = async {
            while request(serving.address, "GET", "/ready", &[], "").await.body().await
                != r#"{"degraded":["nats"],"status":"ready"}"#
            {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        soon(degraded).await;
    }
}

#[tokio::test]
async fn the_log_has_one_line_when_nats_is_lost_and_one_when_it_is_back() {
    let mut nats = Nats::start();
    let data = Data::new("nats-log");
    let log = data.directory.join("log");
    let mut command = data.bolide(&["serve", "--listen", "127.0.0.1:0", "--nats", &nats.url()]);
    command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
    let mut process = command.spawn().unwrap();
    let lines = |part: &str| std::fs::read_to_string(&log).unwrap_or_default().matches(part).count();
    let until = async |part: &str| {
        let comes = async {
            while lines(part) == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        soon(comes).await;
    };
    until("this node has joined the bus").await;
    let before = lines("\n");
    nats.kill();
    until("the bus is lost").await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    nats.restart();
    until("the bus is back").await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let text = std::fs::read_to_string(&log).unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    let mut rest = String::new();
    process.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(text.matches('\n').count() - before, 2, "{text}");
}

#[test]
fn a_bus_that_is_configured_wrongly_is_refused_without_its_password() {
    let data = Data::new("nats-refused");
    let refused = |arguments: &[&str], reason: &str| {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let output = data.run(&all, "");
        let complaint = complaint(&output);
        assert!(!output.status.success() && complaint.contains(reason), "{arguments:?}: {complaint}");
        assert!(!complaint.contains("s3cret"), "{complaint}");
    };
    for url in ["http://me:s3cret@localhost", "nats://me:s3cret@local host:x"] {
        refused(&["--nats", url], "invalid value '(not shown)' for '--nats <URL>': a server such as nats://HOST:4222");
    }
    refused(&["--nats", "nats://localhost", "--nats-credentials", "/nowhere"], "cannot be read");
    refused(&["--nats", "nats://localhost", "--cluster", "a.b"], "letters and digits");
    refused(&["--nats-credentials", "/nowhere"], "--nats");
    let file = data.directory.join("creds");
    std::fs::write(&file, "-----BEGIN NATS USER JWT-----\ns3cret\n").unwrap();
    refused(&["--nats", "nats://localhost", "--nats-credentials", &file.display().to_string()], "are not supported");
    let mut command = bolide(&["serve"]);
    command.env("BOLIDE_NATZ", "nats://localhost");
    assert!(complaint(&super::run(command, "")).contains("BOLIDE_NATZ is unknown"));
}
