//! `bolide migrate`: a database moves from SQLite into PostgreSQL and back.

use bolide_test_servers::Postgres;
use serde_json::json;

use super::{Data, bolide, complaint, run};
use crate::accounts::{password_login, result};
use crate::client::Client;

const PASSWORD: &str = "kV9#tq-2Lw and more";

/// More documents than are copied at once, with keys of an index and a removal.
const DOCUMENTS: usize = 350;

#[tokio::test]
async fn a_database_moves_into_postgres_and_back() {
    let mut data = Data::new("migrate");
    data.succeed(&["user", "add", "ada", "--role", "admin", "--email", "ada@example.com"], &format!("{PASSWORD}\n"));
    data.succeed(&["user", "add", "bob"], &format!("{PASSWORD}\n"));
    let token = data.succeed(&["token", "issue", "ada"], "").trim().to_owned();
    let lines: Vec<String> =
        (0..DOCUMENTS).map(|number| json!({ "_id": format!("d{number}"), "n": number }).to_string()).collect();
    data.succeed(&["documents", "import", "-", "--collection", "items"], &lines.join("\n"));
    let before = data.succeed(&["documents", "export", "--collection", "items"], "");

    let (file, database) = (format!("sqlite:{}", data.database().display()), Postgres::shared().database());
    let there = data.succeed(&["migrate", &file, &database], "");
    assert!(there.contains("\nusers\t2\t"), "{there}");
    assert!(there.contains(&format!("\ndocuments\t{DOCUMENTS}\t")), "{there}");

    // The server goes on there with the same keys, and new rows get new numbers.
    data.postgres = Some(database.clone());
    let server = data.serve();
    let mut client = Client::connect(server.address).await;
    result(&client.ask("login", password_login("ada", PASSWORD)).await);
    let mut older = Client::connect(server.address).await;
    result(&older.ask("login", json!([{ "resume": token }])).await);
    assert!(server.terminate());
    assert_eq!(data.succeed(&["documents", "export", "--collection", "items"], ""), before);

    let back = Data::new("migrate-back");
    let copy = format!("sqlite:{}", back.database().display());
    let there = data.succeed(&["migrate", &database, &copy], "");
    let again = data.succeed(&["migrate", &copy, &Postgres::shared().database()], "");
    assert_eq!(there, again, "the numbers of rows and the hashes");
    assert_eq!(back.succeed(&["documents", "export", "--collection", "items"], ""), before);
}

#[test]
fn a_missing_source_and_a_used_target_are_refused_in_a_sentence() {
    let data = Data::new("migrate-refused");
    let missing = run(bolide(&["migrate", "sqlite:/nowhere/bolide.db", "sqlite::memory:"]), "");
    assert!(complaint(&missing).contains("the database /nowhere/bolide.db does not exist"), "{missing:?}");
    data.succeed(&["user", "add", "ada"], &format!("{PASSWORD}\n"));
    let database = Postgres::shared().database();
    let file = format!("sqlite:{}", data.database().display());
    data.succeed(&["migrate", &file, &database], "");
    let used = data.run(&["migrate", &file, &database], "");
    assert!(complaint(&used).contains("the target is not empty"), "{used:?}");
    let nobody = data.run(&["migrate", &file, "postgres://ada:secret@127.0.0.1:1/none"], "");
    let complaint = complaint(&nobody);
    assert!(complaint.contains("cannot be opened") && !complaint.contains("secret"), "{complaint}");
}
