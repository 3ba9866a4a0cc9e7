//! The file of `bolide serve --config`, and `bolide config`.

use std::path::PathBuf;

use super::{Data, Serving, complaint, run, write};

fn file(data: &Data, text: &str) -> PathBuf {
    let path = data.directory.join("bolide.toml");
    write(&path, text.as_bytes());
    path
}

#[test]
fn a_flag_overrides_a_variable_which_overrides_the_file_which_overrides_the_default() {
    let data = Data::new("config-order");
    let path = file(
        &data,
        "max-connections = 11\nmax-subscriptions = 12\nsite-name = \"In the file\"\nnats = [\"nats://ada:hunter2@localhost\"]\n",
    );
    let mut command = data.bolide(&["config", "--config", path.to_str().unwrap(), "--max-connections", "31"]);
    command.envs([("BOLIDE_MAX_CONNECTIONS", "21"), ("BOLIDE_MAX_SUBSCRIPTIONS", "22"), ("BOLIDE_KEYS", "1:secret")]);
    let output = run(command, "");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", complaint(&output));
    for line in [
        "max-connections = 31 # the command line",
        "max-subscriptions = 22 # the environment variable BOLIDE_MAX_SUBSCRIPTIONS",
        "site-name = \"In the file\" # line 3 of the file",
        "mail-from = \"Bolide <no-reply@localhost>\" # the default",
        "# nats is set, from line 4 of the file",
        "# keys is set, from the environment variable BOLIDE_KEYS",
        "# database is not set",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in {shown}");
    }
    assert!(!shown.contains("hunter2") && !shown.contains("secret"), "{shown}");
}

#[test]
fn a_server_has_what_its_file_says() {
    let data = Data::new("config-serve");
    let path = file(&data, "listen = \"127.0.0.1:0\"\nroot-url = \"https://chat.example.com\"\n");
    let mut command = data.bolide(&["serve"]);
    command.env("BOLIDE_CONFIG", &path);
    let server = Serving::start(command);
    assert_ne!(server.address.port(), 3000);
    assert!(server.greeting.contains("https://chat.example.com/#/"), "{}", server.greeting);
}

#[test]
fn a_server_does_not_start_with_a_file_that_is_wrong() {
    let data = Data::new("config-wrong");
    for (text, sentence) in [
        ("max-conections = 5\n", "line 1: `max-conections` is unknown; the nearest name is `max-connections`"),
        ("\nmax-connections = \"many\"\n", "line 2: invalid value 'many' for '--max-connections <NUMBER>'"),
        ("max-connections = 5\nlisten\n", "line 2: "),
    ] {
        let path = file(&data, text);
        let output = data.run(&["serve", "--listen", "127.0.0.1:0", "--config", path.to_str().unwrap()], "");
        let said = complaint(&output);
        assert!(!output.status.success() && said.contains(sentence) && said.contains("bolide.toml"), "{said}");
    }
    let output = data.run(&["serve", "--config", "/no/such/file.toml"], "");
    assert!(complaint(&output).contains("/no/such/file.toml") && complaint(&output).contains("--config"));
}

#[test]
fn a_malformed_variable_is_refused_although_the_file_says_it_well() {
    let data = Data::new("config-variable");
    let path = file(&data, "max-connections = 5\n");
    let mut command = data.bolide(&["config", "--config", path.to_str().unwrap()]);
    command.env("BOLIDE_MAX_CONNECTIONS", "many");
    assert!(complaint(&run(command, "")).contains("invalid value 'many' for '--max-connections <NUMBER>'"));
}
