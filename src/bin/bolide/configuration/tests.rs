//! What is in force, and what is refused, without a process.

use super::*;
use crate::Arguments;
use clap::CommandFactory as _;

/// A file of a test, which is removed with it.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bolide-{name}-{}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn read(&self, arguments: &[&str]) -> Result<Configuration, Refused> {
        let file = format!("--config={}", self.0.display());
        let all = ["bolide", "serve", &file].into_iter().chain(arguments.iter().copied());
        Configuration::read(&Arguments::command(), &all.map(OsString::from).collect::<Vec<_>>())
    }

    fn refusal(&self) -> String {
        match self.read(&[]) {
            Err(Refused::File(sentence)) => sentence,
            Err(Refused::Arguments(error)) => panic!("the line is not named: {error}"),
            Ok(_) => panic!("it is refused"),
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

fn command() -> Command {
    Arguments::command().find_subcommand("serve").unwrap().clone()
}

fn shown(configuration: &Configuration, name: &str) -> String {
    let lines = show::lines(configuration);
    let found = lines.iter().find(|line| line.trim_start_matches("# ").starts_with(&format!("{name} ")));
    found.unwrap_or_else(|| panic!("{name} is not in {lines:#?}")).clone()
}

#[test]
fn a_flag_overrides_the_file_which_overrides_the_default() {
    let file =
        File::new("order", "max-subscriptions = 5\nmax-connections = 77\ntrusted-proxy = [\"10.0.0.0/8\", \"::1\"]\n");
    let configuration = file.read(&["--max-connections", "99"]).unwrap_or_else(|refused| refused.exit());
    assert_eq!(shown(&configuration, "max-connections"), "max-connections = 99 # the command line");
    assert_eq!(shown(&configuration, "max-subscriptions"), "max-subscriptions = 5 # line 1 of the file");
    assert_eq!(
        shown(&configuration, "trusted-proxy"),
        "trusted-proxy = [\"10.0.0.0/8\", \"::1\"] # line 3 of the file"
    );
    assert_eq!(shown(&configuration, "write-timeout"), "write-timeout = 30 # the default");
    assert_eq!(shown(&configuration, "mail-dir"), "# mail-dir is not set");
}

#[test]
fn a_secret_is_not_shown() {
    let file = File::new("secret", "mail-url = \"smtp://ada:hunter2@mail.example.com\"\n");
    let configuration = file.read(&[]).unwrap_or_else(|refused| refused.exit());
    assert_eq!(shown(&configuration, "mail-url"), "# mail-url is set, from line 1 of the file");
    assert!(!show::lines(&configuration).concat().contains("hunter2"));
}

#[test]
fn a_secret_that_is_refused_is_not_shown() {
    let said = File::new("refused-secret", "nats = [\"http://ada:hunter2@localhost\"]\n").refusal();
    assert!(said.contains(", line 1: invalid value for '--nats <URL>': a server such as "), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_file_is_exposed_if_all_users_can_read_a_secret_in_it() {
    use std::os::unix::fs::PermissionsExt as _;
    for (number, (text, mode, secrets)) in [
        ("keys = \"1:abc\"", 0o644, Some("(keys)")),
        ("keys = \"1:abc\"", 0o640, None),
        (
            "database = \"postgres://ada:hunter2@localhost/a\"\nnats = \"nats://a@localhost\"",
            0o604,
            Some("(database, nats)"),
        ),
        ("database = \"postgres://localhost/a?user=ada&password=hunter2\"", 0o644, Some("(database)")),
        ("database = \"postgres://localhost/a\"\nmail-url = \"smtp://localhost\"", 0o644, None),
        ("mail-from = \"a@example.com\"", 0o644, None),
    ]
    .into_iter()
    .enumerate()
    {
        let file = File::new(&format!("exposed-{number}"), text);
        std::fs::set_permissions(&file.0, std::fs::Permissions::from_mode(mode)).unwrap();
        // What a flag overrides is in the file nevertheless.
        let configuration = file.read(&["--keys", "1:other"]).unwrap_or_else(|refused| refused.exit());
        let sentence = configuration.exposed();
        assert_eq!(sentence.is_some(), secrets.is_some(), "{text}: {sentence:?}");
        assert!(sentence.unwrap_or_default().contains(secrets.unwrap_or_default()), "{sentence:?}");
        assert!(!sentence.unwrap_or_default().contains("hunter2"));
    }
}

#[test]
fn the_flags_whose_values_differ_are_named() {
    let one = File::new("differs-1", "max-connections = 5\nsite-name = \"a\"\ntrusted-proxy = [\"::1\", \"unix\"]\n");
    let other =
        File::new("differs-2", "max-connections = 5\nsite-name = \"b\"\ntrusted-proxy = \"::1\"\nmail-dir = \"m\"\n");
    let read = |file: &File| file.read(&[]).unwrap_or_else(|refused| refused.exit());
    let (one, other) = (read(&one), read(&other));
    assert_eq!(one.differences(&other).collect::<Vec<_>>(), ["site-name", "mail-dir", "trusted-proxy"]);
    assert_eq!(one.differences(&one).count(), 0);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_name() {
    for (key, nearest) in [
        ("max_connections", "max-connections"),
        ("lisen", "listen"),
        ("trusted-proxies", "trusted-proxy"),
        ("config", "keys"),
    ] {
        let said = File::new(&format!("unknown-{key}"), &format!("# Limits\n{key} = 5\n")).refusal();
        assert!(said.contains(&format!(", line 2: `{key}` is unknown")), "{said}");
        assert!(key == "config" || said.contains(&format!("the nearest name is `{nearest}`")), "{said}");
    }
}

#[test]
fn a_value_of_another_type_is_refused_with_its_line_and_what_the_key_takes() {
    for (name, line, sentence) in [
        ("list", "max-connections = [1, 2]", "`max-connections` takes one NUMBER, not such a list"),
        ("boolean", "site-name = true", "`site-name` takes one NAME, not true or false"),
        ("table", "[limits]\nmax-connections = 5", "`limits` is unknown"),
        ("nested", "trusted-proxy = [[\"::1\"]]", "`trusted-proxy` takes a list of CIDR"),
        ("text", "max-connections = \"many\"", "invalid value 'many' for '--max-connections <NUMBER>'"),
        ("negative", "connect-timeout = -1", "invalid value '-1' for '--connect-timeout <SECONDS>'"),
        ("member", "trusted-proxy = [\"::1\", \"us\"]", "invalid value 'us' for '--trusted-proxy <CIDR>'"),
        ("twice", "site-name = \"a\"\nsite-name = \"b\"", "duplicate key"),
        ("syntax", "site-name = ", ", line 1: "),
    ] {
        let said = File::new(&format!("type-{name}"), &format!("{line}\n")).refusal();
        assert!(said.contains(sentence) && said.contains(", line "), "{sentence} is not in: {said}");
    }
}

/// Returns a value that the flag takes: its default, or one of those listed here.
fn example(name: &str, flag: &Arg) -> String {
    if let Some(default) = flag.get_default_values().first() {
        return default.to_string_lossy().into_owned();
    }
    match name {
        "trusted-proxy" => "10.0.0.0/8",
        "allowed-origins" | "passkey-origins" | "root-url" => "https://chat.example.com",
        "metrics-listen" => "9464",
        "otlp" => "http://127.0.0.1:4318",
        _ => "something",
    }
    .to_owned()
}

/// A flag that is added later is in the file by itself.
#[test]
fn each_flag_can_be_in_the_file_and_is_shown() {
    let command = command();
    let mut count = 0;
    for (name, flag) in file::flags(&command) {
        let is_switch = matches!(flag.get_action(), clap::ArgAction::SetTrue);
        let value = if is_switch { "true".to_owned() } else { format!("{:?}", example(name, flag)) };
        let others = match name {
            "nats-credentials" => "nats = \"nats://localhost\"\n",
            "tls-cert" => "tls-key = \"key.pem\"\n",
            "tls-key" => "tls-cert = \"certificate.pem\"\n",
            _ => "",
        };
        let file = File::new(&format!("each-{name}"), &format!("{others}{name} = {value}\n"));
        let configuration = file.read(&[]).unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
        let shown = shown(&configuration, name);
        assert!(shown.ends_with(" of the file"), "{shown}");
        count += 1;
    }
    let all = command.get_arguments().filter(|flag| flag.get_long().is_some()).count();
    assert_eq!(count + 1, all, "all but --config");
}

#[test]
fn what_is_shown_is_a_file_that_says_the_same() {
    let file = File::new("again", "site-name = 'a \"name\" \\'\nconnect-timeout = 0.5\nmax-connections = 0x10\n");
    let lines = |file: &File| {
        let configuration = file.read(&[]).unwrap_or_else(|refused| refused.exit());
        let without_origin = |line: String| line.split(" # ").next().map(str::to_owned);
        show::lines(&configuration).into_iter().filter_map(without_origin).collect::<Vec<_>>()
    };
    let first = lines(&file);
    let again = File::new("again-2", &first.join("\n"));
    assert_eq!(lines(&again), first);
    assert!(first.contains(&"site-name = \"a \\\"name\\\" \\\\\"".to_owned()), "{first:#?}");
    assert!(first.contains(&"max-connections = 16".to_owned()), "{first:#?}");
}

/// A flag that is added later is refused by its parser, or is added here and to `refusals.rs` of the integration tests.
#[test]
fn each_flag_refuses_nonsense_with_its_name_and_what_it_takes() {
    /// What is checked when it is used.
    const LATER: [&str; 11] = [
        "tls-cert",
        "tls-key",
        "listen",
        "data-dir",
        "database",
        "keys",
        "site-name",
        "mail-url",
        "mail-dir",
        "mail-from",
        "nats-credentials",
    ];
    let command = command();
    for (name, flag) in file::flags(&command) {
        if matches!(flag.get_action(), clap::ArgAction::SetTrue) || LATER.contains(&name) {
            continue;
        }
        let arguments = ["bolide", "serve", &format!("--{name}=??nonsense")].map(OsString::from);
        let Err(Refused::Arguments(error)) = Configuration::read(&Arguments::command(), &arguments) else {
            panic!("--{name} takes anything");
        };
        let said = error.to_string();
        let value = flag.get_value_names().and_then(|names| names.first()).unwrap();
        assert!(said.contains(&format!("'--{name} <{value}>': ")), "{said}");
    }
}

#[test]
fn the_example_file_is_valid() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/deploy/bolide.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let file = File::new("example", &text);
    file.read(&[]).unwrap_or_else(|refused| panic!("{refused:?}"));
    // The examples in comments are valid as well.
    let is_example = |line: &str| line.starts_with('#') && !line.starts_with("# ");
    let all: Vec<_> = text.lines().map(|line| if is_example(line) { &line[1..] } else { line }).collect();
    File::new("example-all", &all.join("\n")).read(&[]).unwrap_or_else(|refused| panic!("{refused:?}"));
}
