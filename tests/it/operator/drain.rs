//! The signals that end a server.

use rustix::process::Signal;

use super::{Data, Serving};
use crate::raw::Raw;
use crate::waiting::soon;

#[tokio::test]
async fn a_second_signal_ends_a_server_at_once() {
    let data = Data::new("second-signal");
    let mut server = Serving::start(data.bolide(&["serve", "--listen", "127.0.0.1:0", "--drain-delay", "600"]));
    server.signal(Signal::TERM);
    let not_ready = async {
        loop {
            let mut raw = Raw::open(server.address).await;
            raw.send(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
            if raw.read_to_end().await.starts_with("HTTP/1.1 503 ") {
                break;
            }
        }
    };
    soon(not_ready).await;
    server.signal(Signal::TERM);
    let ended = tokio::task::spawn_blocking(move || server.process.wait().unwrap());
    assert!(!soon(ended).await.unwrap().success());
}
