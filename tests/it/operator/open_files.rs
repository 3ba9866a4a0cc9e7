//! The open files that the system allows, and what clients can take of them.

use std::process::{Command, Stdio};

use serde_json::json;

use super::{Data, Serving};
use crate::client::Client;
use crate::raw::Raw;
use crate::strangers::until_served;

/// Starts a server after a command of the shell.
fn serve_after(command: &str, data: &Data) -> Serving {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!(r#"{command}; exec "$0" serve --listen 127.0.0.1:0"#)]);
    shell.arg(env!("CARGO_BIN_EXE_bolide")).env("BOLIDE_DATA_DIR", &data.directory).stderr(Stdio::null());
    Serving::start(shell)
}

/// Returns the soft and the hard limit of a process's open files.
fn limits_of(process: u32) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut columns = line.split_whitespace().skip(3).map(str::to_owned);
    (columns.next().unwrap(), columns.next().unwrap())
}

/// Returns how often a process has opened the database.
fn database_descriptors(process: u32, data: &Data) -> usize {
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let files = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    files.filter(|file| *file == data.database()).count()
}

#[test]
fn the_limit_of_open_files_is_raised_at_the_start() {
    let data = Data::new("open-files");
    let server = serve_after("ulimit -S -n 256", &data);
    let (soft, hard) = limits_of(server.process.id());
    assert_eq!(soft, hard);
    assert_ne!(hard, "256");
}

#[test]
fn the_connections_to_the_database_are_opened_at_the_start() {
    let data = Data::new("descriptors");
    let server = data.serve();
    assert_eq!(database_descriptors(server.process.id(), &data), 5, "one that writes and four that read");
}

#[tokio::test]
async fn a_network_that_takes_its_connections_leaves_open_files_for_others() {
    let data = Data::new("few-files");
    data.succeed(&["user", "add", "ada"], "a sentence of ada\n");
    // Of these, 128 are kept for the server itself, and a network may have half of the others.
    let server = serve_after("ulimit -n 160", &data);
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(Raw::open(server.address).await);
    }
    for _ in 0..200 {
        let answer = Raw::open(server.address).await.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    silent.truncate(8);
    until_served(server.address).await;
    let mut client = Client::connect(server.address).await;
    let answer = client.ask("login", json!([{ "user": { "username": "ada" }, "password": "a sentence of ada" }])).await;
    assert!(answer.get("error").is_none(), "{answer}");
}
