//! Collections in an SQLite file.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bolide::prelude::*;
use bolide::store::SqlStore;
use futures::future::join_all;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::Extent;
use super::scene::{Scene, Watched, fill, median, message};
use super::table::{count, row, time, title};

/// The number of writers that write at the same time.
const WRITERS: usize = 64;

/// The number of writes of one writer.
const WRITES: usize = 500;

pub(crate) async fn measure(extent: Extent) {
    let place = Place::new();
    title(
        "Stored in SQLite: 200 rooms of which the newest 50 messages are watched",
        &["documents", "filled with", "insert", "update", "remove", "subscribe to 50", "memory of the process"],
    );
    let sizes: &[usize] = match extent {
        Extent::Quick => &[10_000],
        Extent::Usual => &[1_000, 10_000, 100_000, 1_000_000],
        Extent::Large => &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
    };
    for documents in sizes {
        newest(&place.file(&documents.to_string()), *documents).await;
    }
    title("Durable writes to SQLite", &["writers", "writes a second", "relative to the floor"]);
    writers(&place).await;
}

async fn newest(file: &Path, documents: usize) {
    let rooms = (documents / 50).clamp(1, 20_000);
    let before = resident_memory();
    let start = Instant::now();
    let mut scene = scene(file, documents, rooms).await;
    let rate = documents as f64 / start.elapsed().as_secs_f64();
    let memory = resident_memory().saturating_sub(before);
    let subscribe = scene.time_to_subscribe(Watched::Newest, 100.min(rooms)).await;
    scene.watch(Watched::Newest, rooms.min(200)).await;
    let writes = scene.time_to_write(rooms.min(200), WRITES).await;
    row(&[
        count(documents),
        format!("{rate:.0}/s"),
        time(writes.insert),
        time(writes.update),
        time(writes.remove),
        time(subscribe),
        format!("+{} MB", memory / 1_000_000),
    ]);
}

async fn scene(file: &Path, documents: usize, rooms: usize) -> Scene {
    let messages = Collection::stored("messages").index(["rid", "ts"]);
    Scene::new(App::builder().store(open(file).await), messages, documents, rooms).await
}

async fn open(file: &Path) -> SqlStore {
    SqlStore::open(&format!("sqlite:{}", file.display())).await.expect("a store")
}

/// Compares one writer with the same statements without Bolide, and many writers with one.
async fn writers(place: &Place) {
    let floor = floor(&place.file("floor")).await;
    let messages: Collection = Collection::stored("messages").index(["rid", "ts"]);
    let app = App::builder().store(open(&place.file("writers")).await).collection(&messages).build().expect("an app");
    fill(&messages, 1_000, 20).await;
    let one = write(&messages, 0).await;
    let start = Instant::now();
    join_all((1..=WRITERS).map(|writer| write(&messages, writer))).await;
    let many = (WRITERS * WRITES) as f64 / start.elapsed().as_secs_f64();
    let (floor, one) = (1.0 / floor.as_secs_f64(), 1.0 / one.as_secs_f64());
    row(&["the floor: the same statements in sqlx".to_owned(), format!("{floor:.0}"), "1.00".to_owned()]);
    row(&["1".to_owned(), format!("{one:.0}"), format!("{:.2}", one / floor)]);
    row(&[WRITERS.to_string(), format!("{many:.0}"), format!("{:.2}", many / floor)]);
    drop(app);
}

/// Makes the writes of one writer. Returns the median.
async fn write(messages: &Collection, writer: usize) -> Duration {
    let mut times = Vec::with_capacity(WRITES);
    for number in 0..WRITES {
        let start = Instant::now();
        messages.insert(format!("{writer}-{number}"), &message(number, number % 20)).await.expect("a new document");
        times.push(start.elapsed());
    }
    median(times)
}

/// Makes the same statements as a stored collection, with sqlx alone. Returns the median.
async fn floor(file: &Path) -> Duration {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("secure_delete", "ON");
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("a database");
    sqlx::raw_sql(
        "CREATE TABLE heads (number INTEGER PRIMARY KEY, seq INTEGER);
         INSERT INTO heads VALUES (1, 0);
         CREATE TABLE documents (collection BIGINT, id TEXT, fields TEXT, seq BIGINT, PRIMARY KEY (collection, id));
         CREATE INDEX documents_by_change ON documents (collection, seq);
         CREATE INDEX removed_documents ON documents (collection, seq) WHERE fields IS NULL;
         CREATE TABLE document_keys (number INTEGER, key BLOB, id TEXT, elements INTEGER,
             PRIMARY KEY (number, key, id)) WITHOUT ROWID",
    )
    .execute(&pool)
    .await
    .expect("tables");
    let mut times = Vec::with_capacity(WRITES);
    for number in 0..WRITES {
        let start = Instant::now();
        floor_write(&pool, number).await.expect("a write");
        times.push(start.elapsed());
    }
    median(times)
}

async fn floor_write(pool: &SqlitePool, number: usize) -> Result<(), sqlx::Error> {
    let id = format!("0-{number}");
    let fields = serde_json::to_string(&message(number, number % 20)).expect("JSON");
    let key = format!("room{}{number:020}", number % 20).into_bytes();
    let mut whole = pool.begin_with("BEGIN IMMEDIATE").await?;
    let seq: i64 = sqlx::query_scalar("SELECT seq FROM heads WHERE number = 1").fetch_one(&mut *whole).await?;
    let _found: Option<String> =
        sqlx::query_scalar("SELECT fields FROM documents WHERE collection = 1 AND id = $1 AND fields IS NOT NULL")
            .bind(&id)
            .fetch_optional(&mut *whole)
            .await?;
    let write = "INSERT INTO documents VALUES (1, $1, $2, $3)
        ON CONFLICT (collection, id) DO UPDATE SET fields = excluded.fields, seq = excluded.seq";
    sqlx::query(write).bind(&id).bind(fields).bind(seq + 1).execute(&mut *whole).await?;
    sqlx::query("INSERT INTO document_keys VALUES (1, $1, $2, 0)").bind(key).bind(&id).execute(&mut *whole).await?;
    sqlx::query("UPDATE heads SET seq = $1 WHERE number = 1").bind(seq + 1).execute(&mut *whole).await?;
    whole.commit().await
}

/// The memory of this process that is resident, in bytes. 0 where it is not known.
fn resident_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or_default() * 1_024
}

/// A directory for databases, which is removed at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let place = std::env::temp_dir().join(format!("bolide-documents-{}", std::process::id()));
        std::fs::create_dir_all(&place).expect("a directory for the databases");
        Self(place)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.db"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed stays in the directory for temporary files.
        let _kept = std::fs::remove_dir_all(&self.0);
    }
}
