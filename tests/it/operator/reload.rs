//! SIGHUP: what a running server reads again.

use std::fs::File;
use std::path::PathBuf;

use rustix::process::Signal;

use super::{Data, Serving, write};
use crate::client_tls::{CERTIFICATE, KEY};
use crate::http::request;
use crate::waiting::{until, until_it};

/// A server with a file, whose log is stored.
struct Configured {
    server: Serving,
    file: PathBuf,
    log: PathBuf,
}

impl Configured {
    fn start(data: &Data, text: &str) -> Self {
        let (file, log) = (data.directory.join("bolide.toml"), data.directory.join("log"));
        write(&file, text.as_bytes());
        let mut command = data.bolide(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--config",
            file.to_str().unwrap(),
            "--max-running-calls",
            "7",
        ]);
        command.env_remove("RUST_LOG").stderr(File::create(&log).unwrap());
        Self { server: Serving::start_as(command), file, log }
    }

    /// Reloads with this file, and returns the lines of the log about it.
    async fn reload(&self, text: &str) -> Vec<String> {
        write(&self.file, text.as_bytes());
        self.hang_up().await
    }

    async fn hang_up(&self) -> Vec<String> {
        let before = self.lines().len();
        self.server.signal(Signal::HUP);
        let is_told = |line: &String| line.contains("the configuration is ");
        until(|| self.lines()[before..].iter().any(is_told)).await;
        self.lines().split_off(before)
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        // The last line may not be whole.
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::to_owned).collect()
    }

    /// Returns the status of a page of this origin that opens a session.
    async fn status(&self, origin: &str) -> u16 {
        let origin = format!("origin: {origin}");
        request(self.server.address, "GET", "/sockjs/info", &[&origin], "").await.status()
    }
}

/// Returns the only line about the configuration.
fn single(lines: &[String]) -> &str {
    let told: Vec<_> = lines.iter().filter(|line| line.contains("the configuration is ")).collect();
    assert_eq!(told.len(), 1, "{lines:?}");
    told[0]
}

#[tokio::test]
async fn what_can_change_is_applied_and_the_rest_needs_a_restart() {
    let data = Data::new("reload");
    let server = Configured::start(&data, "max-connections = 500\n");
    assert_eq!(server.status("https://b.example").await, 200);
    let origins = "allowed-origins = \"https://a.example\"\n";
    let lines = server.reload(&format!("max-connections = 400\nmax-running-calls = 8\n{origins}")).await;
    let told = single(&lines);
    assert!(told.contains("is reloaded: allowed-origins; max-connections needs a restart"), "{told}");
    assert!(told.contains("WARN"), "{told}");
    assert_eq!(server.status("https://a.example").await, 200);
    assert_eq!(server.status("https://b.example").await, 403);
    let own = format!("http://{}", server.server.address);
    assert_eq!(server.status(&own).await, 200, "the pages of the server itself");
    let lines = server.reload(&format!("max-connections = 500\n{origins}trusted-proxy = \"127.0.0.1\"\n")).await;
    let told = single(&lines);
    assert!(told.trim_end().ends_with("is reloaded: trusted-proxy"), "{told}");
    let lines = server.hang_up().await;
    assert!(single(&lines).contains("no change that can be applied"), "{lines:?}");
    let lines = server.reload("site-name = \"b\"\n").await;
    let told = single(&lines);
    assert!(told.contains("trusted-proxy, allowed-origins; site-name, max-connections need a restart"), "{told}");
    assert!(server.server.terminate());
}

#[tokio::test]
async fn the_log_is_filtered_as_the_file_says() {
    let data = Data::new("reload-log");
    let server = Configured::start(&data, "");
    write(&server.file, b"log = \"error\"\nallowed-origins = \"https://a.example\"\n");
    server.server.signal(Signal::HUP);
    until_it(async || server.status("https://b.example").await == 403).await;
    let lines = server.reload("log = \"a=nonsense\"\n").await;
    let told = single(&lines);
    assert!(told.contains("is not reloaded") && told.contains("for '--log <FILTER>': a level such as info"), "{told}");
    let lines = server.reload("log = \"info\"\n").await;
    assert!(single(&lines).trim_end().ends_with("is reloaded: allowed-origins, log"), "{lines:?}");
    let all = server.lines();
    assert_eq!(all.iter().filter(|line| line.contains("is reloaded: ")).count(), 1, "the first is filtered: {all:?}");
}

#[tokio::test]
async fn with_a_broken_file_the_old_values_stay() {
    let data = Data::new("reload-broken");
    let server = Configured::start(&data, "allowed-origins = \"https://a.example\"\n");
    for (text, reason) in [
        (
            "allowed-orgins = \"https://b.example\"\n",
            "line 1: `allowed-orgins` is unknown; the nearest name is `allowed-origins`",
        ),
        ("\nallowed-origins = 5\n", "line 2: invalid value '5' for '--allowed-origins <ORIGIN>'"),
        ("allowed-origins =", "line 1: "),
        ("forwarded-count = 1\ntrusted-proxy = \"unix\"\nallowed-origins = \"https://b.example\"\n", "and not both"),
    ] {
        let lines = server.reload(text).await;
        let told = single(&lines);
        assert!(told.contains("is not reloaded and stays as it was: ") && told.contains(reason), "{told}");
        assert_eq!(server.status("https://a.example").await, 200);
        assert_eq!(server.status("https://b.example").await, 403);
    }
    std::fs::remove_file(&server.file).unwrap();
    let lines = server.hang_up().await;
    assert!(single(&lines).contains("cannot be read"), "{lines:?}");
    let lines = server.reload("allowed-origins = \"https://b.example\"\n").await;
    assert!(single(&lines).contains("is reloaded: allowed-origins"), "{lines:?}");
    assert_eq!(server.status("https://b.example").await, 200);
}

#[tokio::test]
async fn a_certificate_is_read_again_at_once() {
    let data = Data::new("reload-tls");
    let (certificate, key) = (data.directory.join("certificate.pem"), data.directory.join("key.pem"));
    write(&certificate, CERTIFICATE);
    write(&key, KEY);
    let server = Configured::start(&data, &format!("tls-cert = {certificate:?}\ntls-key = {key:?}\n"));
    write(&certificate, &[CERTIFICATE, CERTIFICATE].concat());
    let lines = server.hang_up().await.concat();
    assert!(lines.contains("the renewed certificate is used for new connections"), "{lines}");
    write(&key, b"no key");
    let lines = server.hang_up().await.concat();
    assert!(lines.contains("the certificate is not renewed: ") && lines.contains("key.pem (--tls-key)"), "{lines}");
}

#[tokio::test]
async fn sighup_does_not_end_a_server_without_a_file() {
    let data = Data::new("reload-nothing");
    let mut server = data.serve();
    for _ in 0..3 {
        server.signal(Signal::HUP);
        assert_eq!(request(server.address, "GET", "/health", &[], "").await.status(), 200);
    }
    assert!(server.process.try_wait().unwrap().is_none());
    assert!(server.terminate());
}

#[tokio::test]
async fn a_server_whose_log_cannot_be_written_goes_on() {
    let data = Data::new("reload-deaf");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = data.bolide(&["serve", "--listen", "127.0.0.1:0", "--log", "trace"]);
    command.stderr(writer);
    let server = Serving::start_as(command);
    for _ in 0..3 {
        server.signal(Signal::HUP);
        assert_eq!(request(server.address, "GET", "/health", &[], "").await.status(), 200);
    }
    assert!(server.terminate());
}

#[tokio::test]
async fn secrets_that_all_users_can_read_are_warned_about_at_start() {
    use std::os::unix::fs::PermissionsExt as _;
    let data = Data::new("reload-secrets");
    let secret = "mail-url = \"smtp://ada:hunter2@127.0.0.1\"\n";
    for (text, mode, is_warned) in
        [(secret, 0o644, true), (secret, 0o640, false), ("site-name = \"a@b\"\n", 0o644, false)]
    {
        let file = data.directory.join("bolide.toml");
        write(&file, text.as_bytes());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let server = Configured::start(&data, text);
        let log = server.lines().concat();
        let sentence = format!("all users of this machine can read the secrets in {} (mail-url)", file.display());
        assert_eq!(log.contains(&sentence), is_warned, "{log}");
        assert!(!log.contains("hunter2"), "{log}");
        assert!(server.server.terminate());
    }
}
