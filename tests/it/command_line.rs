//! The commands `bolide call`, `subscribe`, `login` and `logout`: output, exit codes, and prompts
//! on a pseudo-terminal.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bolide::App;
use bolide::client::Client;
use parking_lot::Mutex;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use serde_json::{Value, json};

use crate::application::application;
use crate::client_two_factor::{Porter, register};
use crate::server::Server;
use crate::waiting::{SOON, until};

/// A user with a separate configuration directory.
pub(crate) struct User {
    directory: PathBuf,
}

impl User {
    pub(crate) fn new(name: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        Self { directory }
    }

    pub(crate) fn bolide(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bolide"));
        command.args(arguments).env("XDG_CONFIG_HOME", &self.directory).env_remove("BOLIDE_TOKEN");
        command
    }

    /// Runs a command without a terminal.
    pub(crate) async fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.bolide(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let input = input.to_owned();
        let run = tokio::task::spawn_blocking(move || {
            let mut process = command.spawn().expect("the program");
            process.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
            process.wait_with_output().expect("it ends")
        });
        run.await.expect("it ends well")
    }

    fn tokens(&self) -> PathBuf {
        self.directory.join("bolide").join("tokens.json")
    }
}

impl Drop for User {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

pub(crate) fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A person at a terminal on which a command runs.
pub(crate) struct Terminal {
    keyboard: File,
    shown: Arc<Mutex<String>>,
    process: std::process::Child,
    /// Reads what the command shows, until no process has the terminal open.
    reader: std::thread::JoinHandle<()>,
}

impl Terminal {
    pub(crate) fn start(mut command: Command) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&controller).and_then(|()| unlockpt(&controller)).expect("a pseudo-terminal");
        let name = ptsname(&controller, Vec::new()).expect("a name");
        let device = open_device(&name);
        let again = || Stdio::from(device.try_clone().expect("a file"));
        let process = command.stdin(again()).stdout(again()).stderr(again()).spawn().expect("the program");
        let mut screen = File::from(controller);
        let keyboard = screen.try_clone().expect("a file");
        let shown = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = screen.read(&mut buffer) {
                written.lock().push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        Self { keyboard, shown, process, reader }
    }

    pub(crate) async fn sees(&self, text: &str) {
        let since = Instant::now();
        while !self.shown.lock().contains(text) {
            assert!(since.elapsed() < SOON, "`{text}` is not in: {}", self.shown.lock());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Types a line when the screen shows a text, and discards the output until then.
    pub(crate) async fn types(&mut self, when: &str, text: &str) {
        self.sees(when).await;
        self.shown.lock().clear();
        self.keyboard.write_all(text.as_bytes()).expect("a keyboard");
    }

    pub(crate) async fn ends(mut self) -> (ExitStatus, String) {
        let since = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("a process")
                && self.reader.is_finished()
            {
                return (status, self.shown.lock().clone());
            }
            assert!(since.elapsed() < SOON, "it does not end: {}", self.shown.lock());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn open_device(name: &CStr) -> File {
    let path = std::ffi::OsStr::from_bytes(name.to_bytes());
    OpenOptions::new().read(true).write(true).open(path).expect("the other side of the terminal")
}

async fn gated_server(method: &'static str) -> Server {
    server_with(&Porter::new(method)).await
}

async fn server_with(porter: &Porter) -> Server {
    Server::start(register(App::builder(), porter).build().expect("the app fits together")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_one_line_of_json_for_programs() {
    let (server, user) = (Server::start(application()).await, User::new("result"));
    let output = user.run(&["call", &server.url(), "echo", r#"{"a": [1, "x"]}"#], "").await;
    assert_eq!((printed(&output).as_str(), output.status.code()), ("{\"a\":[1,\"x\"]}\n", Some(0)));
    let output = user.run(&["call", &server.url(), "nothing"], "").await;
    assert_eq!((printed(&output).as_str(), output.status.code()), ("", Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_tells_the_kind_of_error() {
    let (server, user) = (Server::start(application()).await, User::new("codes"));
    let url = server.url();
    let refused = user.run(&["call", &url, "failWith", r#""no-tea""#, r#""There is none""#], "").await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(complaint(&refused).contains("There is none [no-tea]"), "{}", complaint(&refused));
    let no_json = user.run(&["call", &url, "echo", "text"], "").await;
    assert_eq!(no_json.status.code(), Some(2));
    assert!(complaint(&no_json).contains(r#"'"text"'"#), "{}", complaint(&no_json));
    let nobody = user.run(&["call", "ws://127.0.0.1:1", "echo"], "").await;
    assert_eq!(nobody.status.code(), Some(3));
    let slow = user.run(&["call", "--timeout", "1", &url, "sleep", "60000"], "").await;
    assert_eq!(slow.status.code(), Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_is_one_line_per_document_for_programs() {
    let (server, user) = (Server::start(application()).await, User::new("lines"));
    let output = user.run(&["subscribe", "--once", &server.url(), "tick", "2"], "").await;
    let lines: Vec<Value> = printed(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[1]["id"], &lines[1]["fields"]["name"]), (&"doc1".into(), &"item number 1".into()));
    let refused = user.run(&["subscribe", &server.url(), "noSuchThing"], "").await;
    assert_eq!(refused.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_stores_a_private_token_that_later_calls_use() {
    let (server, user) = (gated_server("totp").await, User::new("token"));
    let url = server.url();
    let login = ["login", &url, "--user", "ada", "--password-stdin", "--code", "123456"];
    let output = user.run(&login, "secret\n").await;
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert!(!printed(&output).contains("a token\""));
    let mode = std::fs::metadata(user.tokens()).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let who = user.run(&["call", &url, "whoami"], "").await;
    assert_eq!(printed(&who), "\"ada\"\n");
    let who = user.run(&["call", "--anonymous", &url, "whoami"], "").await;
    assert_eq!(printed(&who), "null\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_can_pass_codes_by_option_or_command() {
    let (server, user) = (gated_server("totp").await, User::new("script"));
    let url = server.url();
    let transfer = ["call", &url, "transferFunds", r#"{"to":"bob"}"#, "--token", "a token"];
    let given = user.run(&[&transfer[..], &["--code", "123456"]].concat(), "").await;
    assert_eq!(printed(&given), "{\"argc\":1,\"to\":\"bob\"}\n");
    let by_command = user.run(&[&transfer[..], &["--code-command", "echo 123456"]].concat(), "").await;
    assert_eq!(by_command.status.code(), Some(0), "{}", complaint(&by_command));
    let wrong = user.run(&[&transfer[..], &["--code", "000000"]].concat(), "").await;
    assert_eq!(wrong.status.code(), Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_the_error_says_how_to_pass_a_code() {
    let (server, user) = (gated_server("totp").await, User::new("nowhere"));
    // In a new process session it has no terminal, even if the tests have one.
    let mut command = Command::new("setsid");
    command.args(["--wait", env!("CARGO_BIN_EXE_bolide"), "call", &server.url(), "transferFunds", "{}"]);
    command.args(["--token", "a token"]).env("XDG_CONFIG_HOME", &user.directory).stdin(Stdio::null());
    let output =
        tokio::task::spawn_blocking(move || command.output().expect("the program")).await.expect("it ends well");
    assert_eq!(output.status.code(), Some(4));
    assert!(complaint(&output).contains("use --code or --code-command"), "{}", complaint(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_command_is_run_until_it_prints_a_new_code() {
    let (porter, user) = (Porter::new("totp"), User::new("again"));
    let server = server_with(&porter).await;
    let printed_before = user.directory.join("printed");
    let command = format!(
        "echo >> {0}; if [ $(wc -l < {0}) -lt 3 ]; then echo 000000; else echo 123456; fi",
        printed_before.display()
    );
    let call = ["call", &server.url(), "transferFunds", "{}", "--token", "a token", "--code-command", &command];
    let output = user.run(&call, "").await;
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert_eq!(porter.codes(), ["000000", "123456"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_is_not_sent_again() {
    let user = User::new("once");
    for option in [["--code", "000000"], ["--code-command", "echo 000000"]] {
        let porter = Porter::new("email");
        let server = server_with(&porter).await;
        let call = ["call", &server.url(), "transferFunds", "{}", "--token", "a token"];
        let output = user.run(&[&call[..], &option].concat(), "").await;
        assert_eq!(output.status.code(), Some(4), "{}", complaint(&output));
        assert_eq!(porter.codes(), ["000000"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn control_characters_from_the_server_do_not_reach_the_terminal() {
    let (server, user) = (Server::start(application()).await, User::new("escapes"));
    let (url, escape) = (server.url(), "\\u001b]0;owned\\u0007\\u009b2J\\u202e\\u2067");
    let steps = format!(r#"[["added", "c{escape}", "id{escape}", {{"name{escape}": "value{escape}"}}], ["ready"]]"#);
    for command in [
        &["subscribe", "--once", &url, "script", &steps][..],
        &["subscribe", "--once", "--json", &url, "script", &steps][..],
        &["call", &url, "echo", &format!(r#"{{"a{escape}": "b{escape}"}}"#)],
        &["call", &url, "failWith", &format!(r#""error{escape}""#), &format!(r#""reason{escape}""#), "{}"],
    ] {
        let (_, shown) = Terminal::start(user.bolide(command)).ends().await;
        assert!(shown.contains("owned"), "{shown}");
        assert!(!shown.contains("\x1b]") && !shown.contains('\u{7}') && !shown.contains('\u{9b}'), "{shown:?}");
        assert!(!shown.contains(['\u{202e}', '\u{2067}']), "{shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_again_after_a_wrong_code() {
    let (server, user) = (gated_server("totp").await, User::new("person"));
    let call = ["call", &server.url(), "transferFunds", r#"{"to":"bob"}"#, "--token", "a token"];
    let mut terminal = Terminal::start(user.bolide(&call));
    terminal.types("`transferFunds` asks for a code of your authenticator app", "000000\n").await;
    terminal.types("The code is wrong.", "123456\n").await;
    terminal.sees("bob").await;
    let (status, shown) = terminal.ends().await;
    assert!(status.success(), "{shown}");
    assert!(shown.contains("\x1b[32m\"bob\"\x1b[0m"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_line_cancels_the_prompt() {
    let (server, user) = (gated_server("email").await, User::new("cancel"));
    let call = ["call", &server.url(), "transferFunds", "{}", "--token", "a token"];
    let mut terminal = Terminal::start(user.bolide(&call));
    terminal.types("asks for the code", "\n").await;
    let (status, shown) = terminal.ends().await;
    assert_eq!(status.code(), Some(4), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_not_echoed() {
    let (server, user) = (gated_server("totp").await, User::new("hidden"));
    let mut terminal = Terminal::start(user.bolide(&["login", &server.url(), "--user", "ada"]));
    terminal.types("Password of ada: ", "secret\n").await;
    terminal.sees("The login asks for a code").await;
    assert!(!terminal.shown.lock().contains("secret"));
    terminal.types("The login asks for a code", "123456\n").await;
    let (status, shown) = terminal.ends().await;
    assert!(status.success(), "{shown}");
    assert!(shown.contains("signed in as ada"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_password_prompt_leaves_the_terminal_as_it_was() {
    let (server, user) = (gated_server("totp").await, User::new("interrupted"));
    let login = ["login", &server.url(), "--user", "ada"];
    let mut terminal = Terminal::start(user.bolide(&login));
    let screen = terminal.keyboard.try_clone().expect("a file");
    let shows_typing = || tcgetattr(&screen).expect("a mode").local_modes.contains(LocalModes::ECHO);
    terminal.sees("Password of ada: ").await;
    until(|| !shows_typing()).await;
    terminal.types("Password of ada: ", "sec\u{3}").await;
    let (status, shown) = terminal.ends().await;
    assert_eq!(status.code(), Some(130), "{shown}");
    assert!(shows_typing() && !shown.contains("sec"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_a_publication_is_a_table() {
    let (server, user) = (Server::start(application()).await, User::new("table"));
    let terminal = Terminal::start(user.bolide(&["subscribe", "--once", &server.url(), "tick", "2"]));
    let (status, shown) = terminal.ends().await;
    assert!(status.success(), "{shown}");
    assert!(shown.contains("ticks (2)") && shown.contains("item number 1"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_is_followed_until_it_is_interrupted() {
    let (server, user) = (Server::start(application()).await, User::new("live"));
    let url = server.url();
    let writer = Client::connect(&url).await.expect("a session");
    for lines in [&[][..], &["--json"]] {
        let item = json!({"_id": "tea", "name": "a kettle"});
        writer.call::<Value>("insertItem", &(item,)).await.expect("an item");
        let mut terminal = Terminal::start(user.bolide(&[&["subscribe", &url, "items"], lines].concat()));
        terminal.sees("a kettle").await;
        let change = json!({"set": {"name": "a teapot"}, "unset": []});
        writer.call::<Value>("updateItem", &("tea", change)).await.expect("a change");
        terminal.sees("a teapot").await;
        terminal.process.kill().expect("a process");
        writer.call::<Value>("removeItem", &("tea",)).await.expect("a removal");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_counts_calls_and_reports_errors() {
    let (server, user) = (Server::start(application()).await, User::new("load"));
    let url = server.url();
    let load = ["bench", &url, "--duration", "1", "--connections", "2", "--rate", "200"];
    let good = user.run(&[&load[..], &["--call", "3*add 1 2", "--call", r#"echo "x""#]].concat(), "").await;
    assert_eq!(good.status.code(), Some(0), "{}", complaint(&good));
    let calls: u64 =
        printed(&good).lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).expect("a count");
    assert!((150..=250).contains(&calls), "{}", printed(&good));
    let bad = user.run(&[&load[..], &["--call", "noSuchMethod"]].concat(), "").await;
    assert_eq!(bad.status.code(), Some(1));
    assert!(complaint(&bad).contains("not found [404]"), "{}", complaint(&bad));
}
