//! The unit tests of `floods`: a benchmark has no test harness.

#![expect(dead_code, reason = "the program itself is another target")]
#![expect(clippy::print_stdout, reason = "it is a part of a command-line program")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times are far below 2^52, and frames are measured before they are cast"
)]

mod arguments;
mod attack;
#[path = "../common/child.rs"]
mod child;
mod client;
mod comparison;
mod flood;
mod http;
#[path = "../common/latencies.rs"]
mod latencies;
mod measurement;
mod network;
#[path = "../common/process.rs"]
mod process;
mod processor;
#[path = "../common/release.rs"]
mod release;
mod server;
mod state;
mod table;
mod verdict;
mod visitor;
#[path = "../common/websocket.rs"]
mod websocket;
#[path = "../common/words.rs"]
mod words;

/// Whatever hinders a measurement or an attempt.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[cfg(test)]
mod tests {
    mod arguments;
    mod attack;
    mod client;
    mod floods;
    mod http;
    mod network;
    mod processor;
    mod server;
    mod state;
    mod table;
    mod unread_sockjs;
    mod verdict;
    mod visitor;
}
