//! `bolide serve --database`: one and two nodes on a PostgreSQL database.

use bolide_test_servers::Postgres;
use serde_json::json;

use super::{Data, Serving, bolide, complaint, run};
use crate::accounts::{error, password_login, result, sha256, with_code};
use crate::client::Client;

const PASSWORD: &str = "kV9#tq-2Lw and more";

/// Returns a call that makes a personal access token, with the user's password as its second factor if that is shown.
fn generate_token(name: &str, is_confirmed: bool) -> serde_json::Value {
    let mut parameters = json!([{ "tokenName": name, "bypassTwoFactor": false }]);
    if is_confirmed {
        let shown = with_code(&sha256(PASSWORD), "password");
        parameters.as_array_mut().unwrap().push(shown[0].clone());
    }
    parameters
}

#[tokio::test]
async fn users_and_tokens_outlast_a_restart_on_postgres() {
    let database = Postgres::shared();
    let data = Data::in_postgres("postgres-restart", database.database());
    data.succeed(&["user", "add", "ada", "--role", "admin"], &format!("{PASSWORD}\n"));
    // A user who has just signed up is not asked yet.
    let name = data.address().rsplit('/').next().unwrap().to_owned();
    let older = "UPDATE users SET created_at = created_at - 1000000";
    assert!(database.program("psql").args(["-qc", older, &name]).status().unwrap().success());
    assert!(!data.database().exists(), "nothing is kept in a file but the keys");
    let server = data.serve();
    let mut client = Client::connect(server.address).await;
    let login = result(&client.ask("login", password_login("ada", PASSWORD)).await).clone();
    let method = "personalAccessTokens:generateToken";
    assert_eq!(error(&client.ask(method, generate_token("ci", false)).await), "totp-required");
    let personal = result(&client.ask(method, generate_token("ci", true)).await).clone();
    assert!(server.terminate());

    let server = data.serve();
    let mut client = Client::connect(server.address).await;
    result(&client.ask("login", json!([{ "resume": login["token"] }])).await);
    let mut integration = Client::connect(server.address).await;
    result(&integration.ask("login", json!([{ "resume": personal }])).await);
    // The command works while the server runs, and the server sees what it has changed.
    assert_eq!(data.succeed(&["user", "log-out", "ada"], ""), "removed 2 tokens\n");
    let mut again = Client::connect(server.address).await;
    assert_eq!(error(&again.ask("login", json!([{ "resume": login["token"] }])).await), 403);
}

#[tokio::test]
async fn two_nodes_that_start_at_once_have_one_first_admin_and_share_what_they_write() {
    let data = Data::in_postgres("postgres-nodes", Postgres::shared().database());
    // Both need the same keys.
    let keys = data.succeed(&["key", "next"], "");
    let serve = || {
        let mut command = data.bolide(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("BOLIDE_KEYS", &keys);
        tokio::task::spawn_blocking(move || Serving::start(command))
    };
    let (one, other) = (serve(), serve());
    let (one, other) = (one.await.unwrap(), other.await.unwrap());
    let links: Vec<_> = [&one, &other].into_iter().flat_map(|server| server.greeting.split_whitespace()).collect();
    let links = links.into_iter().filter(|word| word.contains("/#/")).map(|link| link.rsplit('/').next().unwrap());
    let mut here = Client::connect(one.address).await;
    let mut chosen = 0;
    for link in links {
        let answer = here.ask("resetPassword", json!([link, PASSWORD])).await;
        chosen += usize::from(answer.get("error").is_none());
    }
    assert_eq!(chosen, 1, "the last link is valid");
    let mut there = Client::connect(other.address).await;
    let login = result(&there.ask("login", password_login("admin", PASSWORD)).await).clone();
    result(&here.ask("login", json!([{ "resume": login["token"] }])).await);
    result(&there.ask("logout", json!([])).await);
    let started = std::time::Instant::now();
    loop {
        let mut again = Client::connect(one.address).await;
        if again.ask("login", json!([{ "resume": login["token"] }])).await.get("error").is_some() {
            break;
        }
        assert!(started.elapsed().as_secs() < 2, "a token that has ended is kept");
    }
}

#[test]
fn keys_are_not_rotated_while_another_node_runs() {
    let data = Data::in_postgres("postgres-rotation", Postgres::shared().database());
    let server = data.serve();
    let refused = data.run(&["key", "rotate"], "");
    assert!(!refused.status.success(), "it would leave the node without the new key");
    assert!(complaint(&refused).contains("used by 1 other processes"), "{}", complaint(&refused));
    assert!(server.terminate());
    data.succeed(&["key", "rotate"], "");
}

#[test]
fn a_database_that_cannot_be_used_is_named_without_its_password() {
    for (url, sentence) in [
        ("postgres://ada:hunter2@127.0.0.1:1/chat".to_owned(), "the database chat on 127.0.0.1:1 cannot be opened"),
        (format!("postgres://ada:hunter2@127.0.0.1:{}/chat", Postgres::shared().port()), "does not exist"),
        ("mysql://ada:hunter2@127.0.0.1/chat".to_owned(), "postgres://USER:PASSWORD@HOST:PORT/NAME"),
    ] {
        let data = Data::in_postgres("postgres-refused", url);
        let output = data.run(&["serve", "--listen", "127.0.0.1:0"], "");
        let said = complaint(&output);
        assert!(!output.status.success() && said.contains(sentence) && said.contains("--database"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    for flag in ["--database-connections", "--statement-timeout"] {
        let output = run(bolide(&["serve", flag, "0"]), "");
        assert!(!output.status.success() && complaint(&output).contains(flag), "{}", complaint(&output));
    }
}
