//! Starts servers and prints their URLs, a line each, until its input ends: `bolide-test-servers shared private nats`.

use std::io::Read as _;

use bolide_test_servers::{Nats, Postgres};

#[expect(clippy::print_stdout, reason = "the URLs are its output")]
fn main() {
    // Kept until the end.
    let mut private = Vec::new();
    let mut nats = Vec::new();
    for server in std::env::args().skip(1) {
        match server.as_str() {
            "shared" => Postgres::versions().iter().for_each(|version| println!("{}", version.shared().database())),
            "private" => private.extend(Postgres::versions().iter().map(|version| {
                let server = version.private();
                println!("{}", server.database());
                server
            })),
            "nats" => {
                let server = Nats::start();
                println!("{}", server.url());
                nats.push(server);
            }
            other => panic!("`{other}` is none of `shared`, `private` and `nats`"),
        }
    }
    println!("ready");
    let _end = std::io::stdin().read_to_end(&mut Vec::new());
}
