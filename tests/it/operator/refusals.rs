//! Mistakes of an operator, and the error messages for them.

use std::process::Output;

use bolide::store::SqlStore;

use super::{Data, bolide, complaint, run};
use crate::waiting::until;

#[track_caller]
fn refused(output: &Output, sentence: &str) {
    assert!(!output.status.success());
    assert!(complaint(output).contains(sentence), "`{sentence}` is not in: {}", complaint(output));
    assert!(!complaint(output).contains("panicked"), "{}", complaint(output));
}

/// Returns a database file without tables, with this schema version.
fn database_of_version(version: u32) -> Vec<u8> {
    let mut page = vec![0; 4096];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    // A page of 4096 bytes; versions, reserved bytes and fractions have fixed values.
    page[16..24].copy_from_slice(&[0x10, 0, 1, 1, 0, 64, 32, 32]);
    // One page, schema format 4, UTF-8.
    page[28..32].copy_from_slice(&1_u32.to_be_bytes());
    page[44..48].copy_from_slice(&4_u32.to_be_bytes());
    page[56..60].copy_from_slice(&1_u32.to_be_bytes());
    page[60..64].copy_from_slice(&version.to_be_bytes());
    // An empty leaf of a table, whose cells begin at the end of the page.
    page[100] = 0x0d;
    page[105..107].copy_from_slice(&[0x10, 0]);
    page
}

#[test]
fn a_database_that_another_process_has_open_is_rejected() {
    let data = Data::new("in-use");
    let server = data.serve();
    refused(&data.run(&["user", "list"], ""), "is used by another process");
    refused(&data.run(&["serve", "--listen", "127.0.0.1:0"], ""), "is used by another process");
    server.kill();
    data.succeed(&["user", "list"], "");
}

#[test]
fn a_file_that_is_not_a_database_is_not_changed() {
    let data = Data::new("corrupt");
    for bytes in [vec![7; 8192], b"not a database at all".to_vec()] {
        super::write(&data.database(), &bytes);
        refused(&data.run(&["serve", "--listen", "127.0.0.1:0"], ""), "cannot be read");
        assert_eq!(std::fs::read(data.database()).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_damaged_database_is_rejected() {
    let data = Data::new("damaged");
    data.succeed(&["user", "add", "ada"], "kV9#tq-2Lw\n");
    // Opening moves the log into the file. Connections that close at the same time may leave an empty one.
    drop(SqlStore::open(&format!("sqlite:{}", data.database().display())).await.unwrap());
    let log = data.directory.join("bolide.db-wal");
    until(|| std::fs::metadata(&log).map_or(0, |file| file.len()) == 0).await;
    let mut bytes = std::fs::read(data.database()).unwrap();
    assert!(bytes.len() > 4096, "the file has its pages");
    bytes[4096..].fill(0xff);
    super::write(&data.database(), &bytes);
    refused(&data.run(&["user", "list"], ""), "cannot be read");
}

#[test]
fn a_database_that_was_cut_to_nothing_is_not_taken_for_a_new_one() {
    let data = Data::new("cut");
    data.succeed(&["user", "add", "ada"], "kV9#tq-2Lw\n");
    let start = || data.run(&["serve", "--listen", "127.0.0.1:0"], "");
    super::write(&data.database(), b"");
    refused(&start(), "has 0 bytes, but a server has stored data in it");
    // As an earlier version leaves it, which did not note that it was used.
    super::write(&data.directory.join("bolide.db.lock"), b"");
    super::write(&data.directory.join("bolide.db-wal"), b"changes that are not in the file");
    refused(&start(), "has 0 bytes");
    assert_eq!(std::fs::read(data.directory.join("bolide.db-wal")).unwrap(), b"changes that are not in the file");
    // An empty file is no reason to refuse if nothing was there.
    std::fs::remove_file(data.directory.join("bolide.db-wal")).unwrap();
    std::fs::remove_file(data.directory.join("bolide.key")).unwrap();
    data.serve();
}

#[test]
fn a_database_of_a_newer_version_is_rejected() {
    let data = Data::new("newer");
    super::write(&data.database(), &database_of_version(0));
    data.succeed(&["user", "list"], "");
    let data = Data::new("newer-still");
    super::write(&data.database(), &database_of_version(99));
    refused(&data.run(&["user", "list"], ""), "was written by a newer version (schema 99");
}

#[test]
fn a_data_directory_that_cannot_be_created_or_written_to_is_named() {
    // Even the superuser cannot create files or directories in these.
    for (directory, sentence) in
        [("/proc", "cannot be opened"), ("/proc/no/such", "cannot be created"), ("/dev/null", "cannot be created")]
    {
        let mut command = bolide(&["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(directory);
        let output = run(command, "");
        refused(&output, sentence);
        refused(&output, directory);
    }
}

#[test]
fn only_serve_creates_a_missing_data_directory() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = Data::new("missing");
    let data = Data { directory: parent.directory.join("of").join("data"), postgres: None };
    refused(&data.run(&["user", "list"], ""), "there is no database");
    refused(&data.run(&["user", "add", "ada"], "x\n"), "cannot be opened");
    assert!(!data.directory.exists());
    data.serve().kill();
    assert!(data.database().exists());
    assert_eq!(std::fs::metadata(&data.directory).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_key_file_that_others_can_read_is_rejected() {
    use std::os::unix::fs::PermissionsExt as _;
    let data = Data::new("exposed");
    data.succeed(&["user", "add", "ada"], "kV9#tq-2Lw\n");
    let key = data.directory.join("bolide.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    refused(&data.run(&["user", "list"], ""), "chmod 600");
}

#[test]
fn unknown_flags_and_invalid_values_are_rejected() {
    let data = Data::new("flags");
    refused(&data.run(&["serve", "--lisen", "127.0.0.1:0"], ""), "unexpected argument '--lisen'");
    refused(&data.run(&["serve", "--forwarded-count", "many"], ""), "invalid value 'many'");
    refused(&data.run(&["serve", "--listen", "nowhere at all"], ""), "cannot listen on nowhere at all");
    refused(&data.run(&["serve", "--listen", "127.0.0.1:0", "--mail-from", "nobody"], ""), "nobody");
    refused(&data.run(&["user", "promote", "ada"], ""), "unrecognized subcommand");
}

#[test]
fn unknown_variables_and_invalid_values_are_rejected() {
    let data = Data::new("variables");
    for (name, value, sentence) in [
        ("BOLIDE_LISEN", "127.0.0.1:0", "the environment variable BOLIDE_LISEN is unknown; the known ones are BOLIDE_"),
        ("BOLIDE_SETTING_NoSuchThing", "1", "there is no setting `NoSuchThing`"),
        ("BOLIDE_SETTING_Accounts_Registration_Enabled", "perhaps", "must be true or false"),
        ("BOLIDE_LISTEN", "nowhere", "cannot listen on nowhere"),
        ("BOLIDE_KEYS", "no keys", "the keys are malformed"),
        ("HTTP_FORWARDED_COUNT", "many", "invalid value 'many'"),
        ("MAIL_URL", "no address", "`MAIL_URL`, must look like `smtp://"),
    ] {
        let mut command = data.bolide(&["serve"]);
        command.env(name, value);
        refused(&run(command, ""), sentence);
    }
}

#[test]
fn nonsense_is_refused_with_the_flag_that_changes_it() {
    let data = Data::new("nonsense");
    for (flag, value) in [
        ("--listen", "nonsense"),
        ("--data-dir", "/dev/null"),
        ("--database", "nonsense"),
        ("--keys", "nonsense"),
        ("--mail-url", "nonsense"),
        ("--mail-dir", "/dev/null"),
        ("--mail-from", "nonsense"),
        ("--nats-credentials", "/dev/null/nonsense"),
        ("--tls-cert", "/dev/null/nonsense"),
        ("--tls-key", "/dev/null/nonsense"),
    ] {
        let (address, rest) = if flag == "--listen" { (value, None) } else { ("127.0.0.1:0", Some(value)) };
        let mut command = data.bolide(&["serve", "--listen", address]);
        command.args(rest.into_iter().flat_map(|value| [flag, value]));
        if flag == "--nats-credentials" {
            command.args(["--nats", "nats://127.0.0.1:1"]);
        }
        let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/certificate/certificate.pem");
        match flag {
            "--tls-cert" => command.args(["--tls-key", certificate]),
            "--tls-key" => command.args(["--tls-cert", certificate]),
            _ => &mut command,
        };
        if flag == "--data-dir" {
            command.env_remove("BOLIDE_DATA_DIR");
        }
        refused(&run(command, ""), flag);
    }
}
