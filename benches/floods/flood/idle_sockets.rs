//! Connections that do nothing: each takes a descriptor and a little memory until the server gives up on it.

use std::io::Write as _;

use crate::attack::{Attack, in_parallel};

const THREADS: usize = 4;
const PAIRS: usize = 5_000;

const UPGRADE: &str = "GET /websocket HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                       sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub(super) fn flood(attack: &Attack) {
    in_parallel(THREADS, |_| {
        for _ in 0..PAIRS / THREADS {
            for opening in [UPGRADE, ""] {
                let opened = attack.attempt(|| {
                    let mut stream = attack.route().dial()?;
                    stream.write_all(opening.as_bytes())?;
                    Ok(stream)
                });
                if let Some(stream) = opened {
                    attack.hold(stream);
                }
            }
        }
    });
}
