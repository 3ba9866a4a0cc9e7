//! `bolide check`: a sound server next to its check, and each fault that is found with what to do about it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use bolide::testing::{SinkBehaviour, SmtpSink};
use bolide_test_servers::Postgres;
use serde_json::Value;

use super::{Data, complaint, run};

const PASSWORD: &str = "kV9#tq-2Lw and more";

/// The findings of a check.
struct Findings {
    succeeded: bool,
    all: Vec<Value>,
}

impl Findings {
    fn of(output: &Output) -> Self {
        let all = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {}", complaint(output)));
        Self { succeeded: output.status.success(), all }
    }

    fn on(data: &Data, flags: &[&str]) -> Self {
        Self::of(&data.run(&[&["check", "--json"], flags].concat(), ""))
    }

    /// Returns the texts of a check at a level.
    fn texts(&self, check: &str, level: &str) -> String {
        let found = self.all.iter().filter(|finding| finding["check"] == check && finding["level"] == level);
        found.map(|finding| finding["text"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
    }

    fn problems(&self) -> Vec<&Value> {
        self.all.iter().filter(|finding| finding["level"] == "problem").collect()
    }

    #[track_caller]
    fn expect_problem(&self, check: &str, text: &str) {
        assert!(self.texts(check, "problem").contains(text), "{check}: `{text}` is not in {:?}", self.problems());
        assert!(!self.succeeded);
    }
}

fn with_admin(mut data: Data, postgres: Option<String>) -> Data {
    data.postgres = postgres;
    data.succeed(&["user", "add", "ada", "--role", "admin"], &format!("{PASSWORD}\n"));
    data
}

fn set_mode(file: &Path, mode: u32) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_sound_server_is_checked_while_it_runs() {
    let file = with_admin(Data::new("check-sound"), None);
    let postgres = with_admin(Data::new("check-sound-postgres"), Some(Postgres::shared().database()));
    for data in [file, postgres] {
        let server = data.serve();
        let flags = ["--thorough", "--root-url", "https://chat.example.com", "--max-connections", "100"];
        let found = Findings::on(&data, &flags);
        assert!(found.succeeded && found.problems().is_empty(), "{:?}", found.problems());
        for check in
            ["database", "schema", "integrity", "documents", "keys", "permissions", "descriptors", "clock", "root url"]
        {
            assert!(!found.texts(check, "ok").is_empty(), "{check}: {:?}", found.all);
        }
        assert!(found.texts("admins", "warning").contains("without a second factor: ada"), "{:?}", found.all);
        assert!(found.texts("mail", "warning").contains("--mail-url"), "{:?}", found.all);
        assert!(server.terminate());
    }
}

#[test]
fn each_fault_is_a_problem_that_says_what_to_do() {
    let data = with_admin(Data::new("check-faults"), None);
    let key = data.directory.join("bolide.key");
    set_mode(&data.database(), 0o644);
    Findings::on(&data, &[]).expect_problem("permissions", "chmod 600");
    set_mode(&data.database(), 0o600);
    set_mode(&key, 0o640);
    Findings::on(&data, &[]).expect_problem("keys", "chmod 600");
    set_mode(&key, 0o600);
    let other = with_admin(Data::new("check-other"), None);
    std::fs::copy(other.directory.join("bolide.key"), &key).unwrap();
    Findings::on(&data, &[]).expect_problem("keys", "the keys are not those of the database");
    std::fs::remove_file(&key).unwrap();
    Findings::on(&data, &[]).expect_problem("keys", "bolide.key does not exist");
    assert!(!key.exists(), "a check creates nothing");
    super::write(&data.database(), b"");
    Findings::on(&data, &[]).expect_problem("database", "bolide restore");
    std::fs::remove_file(data.database()).unwrap();
    Findings::on(&data, &[]).expect_problem("database", "--data-dir");
    assert!(!data.database().exists());
    let users = Data::new("check-no-admin");
    users.succeed(&["user", "add", "bob"], &format!("{PASSWORD}\n"));
    Findings::on(&users, &[]).expect_problem("admins", "bolide user add NAME --role admin");
}

#[test]
fn a_server_is_checked_with_its_file() {
    let data = with_admin(Data::new("check-config"), None);
    let elsewhere = Data::new("check-config-file");
    let file = elsewhere.directory.join("bolide.toml");
    let text = format!("data-dir = {:?}\nroot-url = \"https://chat.example.com\"\n", data.directory);
    super::write(&file, text.as_bytes());
    let check = |flags: &[&str]| {
        let all = [&["check", "--json", "--config", file.to_str().unwrap()], flags].concat();
        run(super::bolide(&all), "")
    };
    let found = Findings::of(&check(&[]));
    assert!(found.succeeded && !found.texts("keys", "ok").is_empty(), "{:?}", found.all);
    assert!(found.texts("root url", "ok").contains("https://chat.example.com"), "{:?}", found.all);
    let found = Findings::of(&check(&["--root-url", "https://other.example.com"]));
    assert!(found.texts("root url", "ok").contains("https://other.example.com"), "a flag overrides the file");
    super::write(&file, b"thorough = true\nrot-url = \"https://chat.example.com\"\n");
    let refused = complaint(&check(&[]));
    assert!(refused.contains("line 2: `rot-url` is unknown; the nearest name is `root-url`"), "{refused}");
}

#[test]
fn a_damaged_page_is_found() {
    let data = with_admin(Data::new("check-damaged"), None);
    data.succeed(&["backup", data.directory.join("whole").to_str().unwrap()], "");
    let mut bytes = std::fs::read(data.directory.join("whole")).unwrap();
    let page = bytes.len() - 4096;
    bytes[page..].fill(0xff);
    for beside in ["bolide.db-wal", "bolide.db-shm"] {
        std::fs::remove_file(data.directory.join(beside)).ok();
    }
    super::write(&data.database(), &bytes);
    Findings::on(&data, &[]).expect_problem("integrity", "bolide restore");
}

#[test]
fn connections_beyond_the_open_files_are_a_warning_for_scripts_and_for_people() {
    let data = with_admin(Data::new("check-text"), None);
    let output = data.run(&["check", "--max-connections", "100000000"], "");
    assert!(output.status.success(), "warnings are no failure");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.contains("descriptors")).unwrap();
    assert!(line.starts_with("warning  descriptors  ") && line.contains("--max-connections"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_server_is_asked_and_sent_a_mail_only_if_told() {
    let data = with_admin(Data::new("check-mail"), None);
    let sink = SmtpSink::start().await.unwrap();
    let url = sink.url().replace("smtp://", "smtp://ada:secret@");
    let check = async |flags: Vec<&'static str>| {
        let mut command = data.bolide(&["check", "--json", "--mail-from", "Chat <chat@example.com>"]);
        command.args(flags).env("MAIL_URL", &url);
        Findings::of(&tokio::task::spawn_blocking(move || run(command, "")).await.unwrap())
    };
    let found = check(Vec::new()).await;
    assert!(found.texts("mail", "ok").contains("accepts the user"), "{:?}", found.all);
    assert!(sink.credentials().is_some(), "it has signed in");
    assert!(sink.received().is_empty(), "no mail was sent");
    let found = check(vec!["--send-test-to", "ada@example.com"]).await;
    assert!(found.texts("mail", "ok").contains("a test mail to ada@example.com"), "{:?}", found.all);
    assert_eq!(sink.wait_for("ada@example.com").await.from, "chat@example.com");
    sink.behave(SinkBehaviour::RefuseCredentials);
    let found = check(Vec::new()).await;
    found.expect_problem("mail", "--mail-url");
    assert!(!format!("{:?}", found.all).contains("secret"), "{:?}", found.all);
}
