//! The effects of the commands.

use std::path::Path;

use bolide::clock::{Clock as _, SystemClock};
use bolide::protocol::ejson::Date;
use serde_json::{Value, json};

use super::{Data, Serving, bolide, complaint, run};
use crate::accounts::import::users;
use crate::client::Client;
use crate::waiting::until;

fn login(name: &str, password: &str) -> Value {
    json!([{ "user": { "username": name }, "password": password }])
}

#[tokio::test]
async fn the_first_start_creates_an_admin_and_prints_a_link_once() {
    let data = Data::new("first-start");
    let server = data.serve();
    let link = server.greeting.split_whitespace().find(|word| word.contains("/#/"));
    let token = link.expect("a link").rsplit('/').next().unwrap().to_owned();
    let mut client = Client::connect(server.address).await;
    let reset = client.ask("resetPassword", json!([token, "long and secret"])).await;
    assert!(reset.get("error").is_none(), "{reset}");
    let settings = client.ask("private-settings/get", json!([])).await;
    assert!(settings["result"].is_array(), "{settings}");
    assert!(client.ask("resetPassword", json!([token, "another"])).await.get("error").is_some());
    client.leave().await;
    assert!(server.terminate());
    let server = data.serve();
    assert_eq!(server.greeting, "");
    let mut client = Client::connect(server.address).await;
    assert!(client.ask("login", login("admin", "long and secret")).await.get("error").is_none());
}

#[tokio::test]
async fn users_can_be_added_listed_and_given_passwords_and_tokens() {
    let data = Data::new("users");
    data.succeed(&["user", "add", "ada", "--email", "ada@example.com", "--role", "cashier"], "ada has a first one\n");
    data.succeed(&["user", "add", "bob"], "bob has his own\n");
    let listed = data.succeed(&["user", "list"], "");
    let users: Vec<Vec<_>> = listed.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(users[0][..4], ["ada", "ada@example.com", "cashier", ""]);
    assert_eq!(users[1][..4], ["bob", "", "", ""]);
    assert_eq!(users[0][4].len(), 17, "the id of the user");
    assert_eq!(data.succeed(&["user", "list", "EXAMPLE"], "").lines().count(), 1);
    let again = data.run(&["user", "add", "ADA"], "kV9#tq-2Lw\n");
    assert!(!again.status.success() && complaint(&again).contains("is taken"), "{}", complaint(&again));
    data.succeed(&["user", "set-password", "ada@example.com"], "ada has a second one\n");
    let nobody = data.run(&["user", "set-password", "nobody"], "kV9#tq-2Lw\n");
    assert!(!nobody.status.success() && complaint(&nobody).contains("Invalid user"), "{}", complaint(&nobody));
    let empty = data.run(&["user", "set-password", "ada"], "\n");
    assert!(!empty.status.success() && complaint(&empty).contains("standard input"), "{}", complaint(&empty));
    let short = data.run(&["user", "set-password", "ada"], "letmein\n");
    let (said, is_refused) = (complaint(&short), !short.status.success());
    assert!(is_refused && said.contains("minimum length") && said.contains("common or easily guessed"), "{said}");
    assert!(said.contains("BOLIDE_SETTING_Accounts_Password_Policy_Enabled"), "{said}");
    data.succeed(&["user", "unblock", "ada"], "");
    assert_eq!(data.succeed(&["user", "log-out", "bob"], ""), "removed 0 tokens\n");
    let token = data.succeed(&["token", "issue", "bob"], "");
    assert_eq!(data.succeed(&["user", "log-out", "bob"], ""), "removed 1 tokens\n");
    let ended = token;
    let token = data.succeed(&["token", "issue", "bob"], "");
    let server = data.serve();
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.ask("login", login("ada", "ada has a first one")).await["error"]["error"], 403);
    assert!(client.ask("login", login("ada", "ada has a second one")).await.get("error").is_none());
    let resumed = client.ask("login", json!([{ "resume": token.trim() }])).await;
    assert_eq!(resumed["result"]["type"], "resume");
    let ended = client.ask("login", json!([{ "resume": ended.trim() }])).await;
    assert_eq!(ended["error"]["error"], 403);
}

/// Returns a line of a mail in this directory that begins like this.
fn line_in_mails(directory: &Path, begins: &str) -> Option<String> {
    let mails = std::fs::read_dir(directory).ok()?.map(|entry| entry.unwrap().path());
    let mut written = mails.filter(|file| file.extension().is_some_and(|extension| extension == "eml"));
    let line = |text: String| text.lines().find(|line| line.starts_with(begins)).map(str::to_owned);
    written.find_map(|file| line(std::fs::read_to_string(file).unwrap()))
}

#[tokio::test]
async fn an_invited_user_is_sent_a_link_when_the_server_runs_next() {
    let data = Data::new("invitation");
    let invite = ["user", "invite", "ada", "--email", "ada@example.com", "--role", "cashier"];
    let nowhere = data.run(&invite, "");
    assert!(!nowhere.status.success() && complaint(&nowhere).contains("--root-url"), "{}", complaint(&nowhere));
    data.succeed(&[&invite[..], &["--root-url", "https://chat.example.com/"]].concat(), "");
    assert!(data.succeed(&["user", "list"], "").starts_with("ada\tada@example.com\tcashier\t"), "the mail still waits");
    let mails = data.directory.join("mails");
    let mut command = data.bolide(&["serve", "--listen", "127.0.0.1:0"]);
    command.arg("--mail-dir").arg(&mails);
    let server = Serving::start(command);
    let begins = "https://chat.example.com/#/enroll-account/";
    until(|| line_in_mails(&mails, begins).is_some()).await;
    let link = line_in_mails(&mails, begins).unwrap();
    let mut client = Client::connect(server.address).await;
    let reset = client.ask("resetPassword", json!([link.rsplit('/').next().unwrap(), "long and secret"])).await;
    assert!(reset.get("error").is_none(), "{reset}");
    assert!(client.ask("login", login("ada", "long and secret")).await.get("error").is_none());
}

#[tokio::test]
async fn an_import_reports_malformed_lines_and_imports_the_others() {
    let data = Data::new("import");
    let now = Date::from_milliseconds(SystemClock.now().milliseconds());
    let file = data.directory.join("users.json");
    super::write(&file, users(now).as_bytes());
    let file = file.to_str().unwrap();
    let first = data.run(&["user", "import", file], "");
    let summary = String::from_utf8_lossy(&first.stdout);
    assert!(summary.starts_with("4 imported, 0 already exist, 5 rejected\n"), "{summary}");
    assert!(summary.contains("2 with an authenticator app\n"), "{summary}");
    assert_eq!(first.status.code(), Some(1));
    let reported = complaint(&first);
    for (line, reason) in [
        (3, "it is no JSON"),
        (5, "`services.password` must be a bcrypt or argon2id hash"),
        (6, "the username is taken by another user"),
        (7, "`_id` must be"),
        (8, "a document must be an object"),
    ] {
        assert!(reported.contains(&format!("line {line}: {reason}")), "{line}: {reported}");
    }
    let again = data.run(&["user", "import", file], "");
    assert!(again.stdout.starts_with(b"0 imported, 4 already exist, 5 rejected\n"));
    let listed = data.succeed(&["user", "list"], "");
    assert!(listed.contains("ada.lovelace\tAda@example.com,ada@example.org\tuser,admin\ttotp,email"), "{listed}");
    data.succeed(&["user", "reset-2fa", "ada.lovelace"], "");
    let server = data.serve();
    let mut client = Client::connect(server.address).await;
    let password = "correct horse battery staple";
    assert!(client.ask("login", login("ada.lovelace", password)).await.get("error").is_none());
    assert_eq!(client.ask("login", login("bob@work", password)).await["error"]["error"], "totp-required");
    let old = json!([{ "resume": "bob's token from before they were hashed" }]);
    assert_eq!(client.ask("login", old).await["result"]["id"], "meteorBob23456789");
}

#[test]
fn an_array_is_imported_from_standard_input() {
    let data = Data::new("import-array");
    let array = r#"[{"_id":"a","username":"ada"},
        {"_id":"b", "username": "bob",
         "active": false}]"#;
    let checked = data.succeed(&["user", "import", "--check", "-"], array);
    assert!(checked.starts_with("2 would be imported, 0 already exist, 0 rejected\n"), "{checked}");
    let imported = data.succeed(&["user", "import", "-"], array);
    assert!(imported.starts_with("2 imported, 0 already exist, 0 rejected\n"), "{imported}");
    let nowhere = data.run(&["user", "import", "no such file"], "");
    assert!(complaint(&nowhere).contains("the file no such file cannot be read"), "{}", complaint(&nowhere));
}

/// Returns the flag and the default of each field of `Limits`, as its `Debug` lists them.
fn flags_of_limits() -> Vec<(String, String)> {
    let fields = format!("{:#?}", bolide::Limits::default());
    let fields = fields.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(": "));
    let flags: Vec<_> = fields
        .map(|(name, value)| {
            let name = name.replace('_', "-");
            // Zero is shown as `0ns`.
            match value.strip_suffix("ns").or_else(|| value.strip_suffix('s')) {
                Some(seconds) => (name, seconds.to_owned()),
                None => (format!("max-{name}"), value.to_owned()),
            }
        })
        .collect();
    assert!(flags.len() > 15 && flags.contains(&("max-connections".to_owned(), "100000".to_owned())), "{flags:?}");
    flags
}

#[test]
fn help_names_every_flag_its_variable_and_its_default() {
    let help = String::from_utf8(run(bolide(&["serve", "--help"]), "").stdout).unwrap();
    for (flag, default) in flags_of_limits() {
        let described = format!("--{flag} <");
        let entry = help.split("\n\n").find(|entry| entry.contains(&described));
        let entry = entry.unwrap_or_else(|| panic!("no --{flag} in: {help}"));
        let variable = format!("BOLIDE_{}=", flag.replace('-', "_").to_uppercase());
        assert!(entry.contains(&variable) && entry.contains(&format!("[default: {default}]")), "{entry}");
    }
    for heading in ["Limits of connections:", "Limits of sessions:", "Limits of messages:", "Timeouts:"] {
        assert!(help.contains(heading), "{heading}: {help}");
    }
    for expected in [
        "--listen",
        "BOLIDE_LISTEN",
        "[default: 127.0.0.1:3000]",
        "--data-dir",
        "BOLIDE_DATA_DIR",
        "[default: .]",
        "MAIL_URL",
        "HTTP_FORWARDED_COUNT",
    ] {
        assert!(help.contains(expected), "{expected}: {help}");
    }
}
