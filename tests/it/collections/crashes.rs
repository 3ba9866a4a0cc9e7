//! What a stored collection has acknowledged survives `kill -9`, with its indexes, twenty times.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bolide::collection::Batch;
use bolide::prelude::*;
use bolide::protocol::ejson::Object;
use bolide::store::SqlStore;

const ROUNDS: u32 = 20;
const WRITERS: usize = 8;

/// The environment variable that names the database to the process that is killed.
const DATABASE: &str = "CRASH_TEST_DATABASE";

/// A database in a directory of its own, which is removed at the end.
struct Database(PathBuf);

impl Database {
    fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("bolide-crashes-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        Self(directory)
    }

    fn file(&self) -> PathBuf {
        self.0.join("documents.db")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // What stays is in the directory for temporary files.
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}

async fn open(file: &Path) -> (App, Collection, Collection) {
    let store = SqlStore::open(&format!("sqlite:{}", file.display())).await.expect("a store");
    let notes: Collection = Collection::stored("notes").index(["group", "number"]);
    let totals: Collection = Collection::stored("totals");
    let app = App::builder().store(store).collection(&notes).collection(&totals).build().expect("an app");
    (app, notes, totals)
}

fn note(group: usize, number: usize) -> Object {
    [("group".to_owned(), Ejson::from(group as u64)), ("number".to_owned(), Ejson::from(number as u64))].into()
}

/// Writes until it is killed, and prints what is acknowledged. Each batch adds a note, and counts it in another collection.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "another test starts and kills it"]
async fn writes_until_it_is_killed() {
    let file = std::env::var(DATABASE).expect("the name of the database");
    let (_app, notes, totals) = open(Path::new(&file)).await;
    let start = notes.count().await.expect("a number");
    let next = AtomicUsize::new(start);
    let write = async |writer: usize| {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let id = format!("{start}-{number}");
            Batch::new()
                .insert(&notes, id.as_str(), &note(writer, number))
                .upsert(&totals, writer.to_string(), Update::new().increment("notes", 1))
                .commit()
                .await
                .expect("a write");
            let mut output = std::io::stdout().lock();
            writeln!(output, "acknowledged {id}").and_then(|()| output.flush()).expect("somebody listens");
        }
    };
    futures::future::join_all((0..WRITERS).map(write)).await;
}

fn start_child(file: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["collections::crashes::writes_until_it_is_killed", "--exact", "--ignored", "--nocapture"])
        .env(DATABASE, file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process")
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_documents_survive_twenty_kills_during_writes() {
    let database = Database::new();
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut child = start_child(&database.file());
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut in_this_round = 0;
        while let Some(Ok(line)) = lines.next() {
            let Some((_, id)) = line.split_once("acknowledged ") else { continue };
            acknowledged.insert(id.to_owned());
            in_this_round += 1;
            if in_this_round == 3 * WRITERS {
                // At a different point of a write each time.
                std::thread::sleep(Duration::from_micros(700 * u64::from(round)));
                child.kill().expect("it runs");
            }
        }
        assert!(in_this_round >= 3 * WRITERS, "only {in_this_round} writes in round {round}");
        child.wait().expect("it has ended");
        expect_all(&database.file(), &acknowledged).await;
    }
}

/// All acknowledged notes are there; documents, indexes, counts and the other collection agree.
async fn expect_all(file: &Path, acknowledged: &BTreeSet<String>) {
    let (app, notes, totals) = open(file).await;
    let all = notes.find(Filter::everything()).fetch().await.expect("notes");
    let ids: BTreeSet<&str> = all.iter().filter_map(|note| note["_id"].as_str()).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|id| !ids.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_eq!(notes.count().await, Ok(all.len()));
    let mut by_index = 0;
    for group in 0..WRITERS {
        let of_group = notes.find(Filter::eq("group", group as u64)).sort("number", Direction::Ascending);
        assert!(!of_group.explain().await.expect("a plan").is_scan);
        let found = of_group.fetch().await.expect("notes").len();
        let total = totals.get(group.to_string()).await.expect("a total");
        let counted = total.and_then(|total| total["notes"].as_number()?.as_u64()).unwrap_or_default();
        assert_eq!(counted, found as u64, "a batch is stored as a whole");
        by_index += found;
    }
    assert_eq!(by_index, all.len());
    drop((app, notes, totals));
}
