//! Collections in PostgreSQL, on servers that this program starts: durable writes, and how long a change takes to reach
//! another node.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bolide::prelude::*;
use bolide::store::SqlStore;
use bolide_test_servers::{Postgres, PostgresVersion, PrivatePostgres};
use futures::future::join_all;

use super::Extent;
use super::scene::{Watched, connect, fill, message, subscribe, until};
use super::table::{row, time, title};

/// The number of writers that write at the same time, and of documents in a transaction of the floor.
const WRITERS: usize = 64;

/// The time for which the floor runs, in seconds.
const FLOOR_SECONDS: usize = 4;

/// Debian's program, which knows all versions of the server.
const PGBENCH: &str = "/usr/lib/postgresql/15/bin/pgbench";

pub(crate) async fn measure(extent: Extent) {
    let writes = if extent == Extent::Quick { 200 } else { 1_000 };
    title(
        "Durable writes to PostgreSQL",
        &["version", "writers", "writes a second", "relative to pgbench with the same statements in batches"],
    );
    let servers: Vec<PrivatePostgres> = Postgres::versions().iter().map(PostgresVersion::private).collect();
    for server in &servers {
        writers(server, writes).await;
    }
    title("From a write on one node to a subscriber of another", &["version", "writes a second", "p50", "p99"]);
    for server in &servers {
        other_node(server).await;
    }
}

async fn node(address: &str) -> (App, Collection) {
    let messages: Collection = Collection::stored("messages").index(["rid", "ts"]);
    let store = SqlStore::open(address).await.expect("a store");
    let published = messages.clone();
    let app = App::builder().store(store).collection(&messages);
    let app = app.publish("room", async move |subscription: Subscription, room: String| {
        subscription.publish(published.find(Filter::eq("rid", room))).await
    });
    (app.build().expect("an app"), messages)
}

async fn writers(server: &PrivatePostgres, writes: usize) {
    let address = server.database();
    let (app, messages) = node(&address).await;
    fill(&messages, 1_000, 20).await;
    let version = server.version().to_string();
    let floor = floor(server, &address).await;
    row(&[version.clone(), format!("pgbench, {WRITERS} documents at once"), format!("{floor:.0}"), "1.00".to_owned()]);
    for writers in [1, WRITERS] {
        let start = Instant::now();
        join_all((0..writers).map(|writer| write(&messages, writers, writer, writes))).await;
        let rate = (writers * writes) as f64 / start.elapsed().as_secs_f64();
        row(&[version.clone(), writers.to_string(), format!("{rate:.0}"), format!("{:.2}", rate / floor)]);
    }
    drop(app);
}

async fn write(messages: &Collection, round: usize, writer: usize, count: usize) {
    for number in 0..count {
        let id = format!("{round}-{writer}-{number}");
        messages.insert(id, &message(number, number % 20)).await.expect("a new document");
    }
}

/// Returns how many documents a second pgbench writes with the statements of a stored collection, as many in a transaction
/// as there are writers.
async fn floor(server: &PrivatePostgres, address: &str) -> f64 {
    let script = std::env::temp_dir().join(format!("bolide-pgbench-{}", std::process::id()));
    std::fs::write(&script, statements()).expect("a file");
    let mut pgbench = Command::new(Path::new(PGBENCH));
    pgbench
        .args(["-h", "127.0.0.1", "-U", "bolide", "-n", "-c", "1", "-M", "prepared", "-p"])
        .arg(server.port().to_string());
    pgbench
        .args(["-T", &FLOOR_SECONDS.to_string(), "-f"])
        .arg(&script)
        .arg(address.rsplit('/').next().unwrap_or_default());
    let output = tokio::task::spawn_blocking(move || pgbench.output()).await.expect("a thread").expect("pgbench");
    let _removed = std::fs::remove_file(&script);
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
    let transactions = rate.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    transactions * WRITERS as f64
}

/// The script of pgbench. The documents have two entries in an index each, as those of the collection have.
fn statements() -> String {
    let fields = r#"{"rid":"room 7","ts":{"$date":1700000000000},"text":"A message of about a hundred characters, as people send them all day long in a chat.","u":{"_id":"user 17","username":"someone"}}"#;
    let mut script = String::from("\\set first random(1, 1000000000)\nBEGIN;\n");
    let _written = write!(
        script,
        "SELECT seq, documents, bytes, number FROM heads WHERE number = ANY(ARRAY[1]::bigint[]) ORDER BY number FOR NO KEY UPDATE;
SELECT id, fields, seq FROM documents WHERE collection = 1 AND fields IS NOT NULL AND id = ANY(ARRAY(SELECT 'p' || :first || '-' || n FROM generate_series(1, {WRITERS}) AS n));
WITH put_documents AS (
    INSERT INTO documents (collection, id, fields, seq)
    SELECT 1, 'p' || :first || '-' || n, '{fields}', 1000000 + n FROM generate_series(1, {WRITERS}) AS n
    ON CONFLICT (collection, id) DO UPDATE SET fields = excluded.fields, seq = excluded.seq
), added_entries AS (
    INSERT INTO document_keys (index_number, key, id, elements)
    SELECT 1, decode(md5((:first + n)::text), 'hex'), 'p' || :first || '-' || n, 0 FROM generate_series(1, {WRITERS}) AS n
    ON CONFLICT (index_number, key, id) DO UPDATE SET elements = excluded.elements
), put_heads AS (
    UPDATE heads SET seq = seq, documents = documents, bytes = bytes WHERE number = 1
)
SELECT pg_notify('bolide_documents', '1 1');
COMMIT;
"
    );
    script
}

/// Writes 200 documents a second on one node, and measures when a client of another node has them.
async fn other_node(server: &PrivatePostgres) {
    const RATE: u32 = 200;
    let address = server.database();
    let (writing, messages) = node(&address).await;
    let (reading, _other) = node(&address).await;
    let mut client = connect(&reading).await;
    subscribe(&mut client, Watched::Room, 0).await;
    let mut times = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    for number in 0..1_000 {
        ticks.tick().await;
        let id = format!("n{number}");
        let start = Instant::now();
        let (new, shown) = (message(number, 0), format!("\"{id}\""));
        let (written, ()) = tokio::join!(messages.insert(id.as_str(), &new), until(&mut client, &shown));
        written.expect("a new document");
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |percent: usize| time(times[(times.len() * percent / 100).min(times.len() - 1)]);
    row(&[server.version().to_string(), RATE.to_string(), at(50), at(99)]);
    drop((writing, reading));
}
