//! Documents: what a write and a subscription cost, and how the cost grows with the number of documents and of queries.
//!
//! `cargo bench --bench documents` prints tables for collections in memory and in an SQLite file; `benches/README.md` tells
//! how to read them. `-- --quick` leaves out the largest rows, `-- --stored` those in memory, and `-- --large` adds 10,000,000 stored documents, which take
//! some minutes and 5 GB of disk. `-- --postgres` measures collections in PostgreSQL instead. All of it runs in this process, on one thread; SQLite has threads of its own.
//!
//! In reading order: [`memory`], [`stored`] and [`postgres`], which measure; [`scene`], the app with its subscribers; [`table`].

#![expect(clippy::print_stdout, reason = "it is a command-line program")]
#![expect(clippy::cast_precision_loss, reason = "counts and times are far below 2^52")]

mod memory;
mod postgres;
mod scene;
mod stored;
mod table;

use tokio::runtime::Builder;

/// Which rows are measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Quick,
    Usual,
    Large,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let is_given = |name: &str| arguments.iter().any(|argument| argument == name);
    let extent = match (is_given("--quick"), is_given("--large")) {
        (true, _) => Extent::Quick,
        (_, true) => Extent::Large,
        _ => Extent::Usual,
    };
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        if is_given("--postgres") {
            return postgres::measure(extent).await;
        }
        if !is_given("--stored") {
            memory::measure(extent).await;
        }
        stored::measure(extent).await;
    });
}
