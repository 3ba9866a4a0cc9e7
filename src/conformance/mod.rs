//! Holds any DDP server against the conversations in `protocol/conformance`: sends what they send, compares what comes
//! back, and reports by chapter.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use bolide::conformance::{Level, Options, WebSocket, book, run};
//!
//! let server = WebSocket::new("ws://127.0.0.1:3000/websocket")?;
//! let options = Options::new("a text that is new in every run").level(Level::Meteor);
//! let report = run(&server, &book::embedded()?, &options).await;
//! report.write(&mut std::io::stdout())?;
//! # Ok(())
//! # }
//! ```
//!
//! In reading order:
//!
//! - [`Case`] and [`Step`]: what a file says, with errors that name the place;
//! - [`book`]: the cases that Bolide brings, or those of a directory;
//! - `placeholder`, `computed`, `memory`, `matching`: the strings such as `<id>` that stand for something;
//! - [`Transport`] and [`Connection`]: the way to a server, [`WebSocket`] being one;
//! - `lines`: the connections of a case; `http`: its requests; [`Mailbox`]: where its mail is read;
//! - `player`: one case, step by step;
//! - [`run`] with [`Options`]: which cases, how many at once;
//! - [`Report`]: what passed, and why the rest did not.

pub mod book;
mod case;
mod computed;
mod http;
mod in_process;
mod lines;
mod mailbox;
pub(crate) mod matching;
pub(crate) mod memory;
pub(crate) mod placeholder;
mod player;
mod report;
mod runner;
mod sockjs;
mod step;
#[cfg(test)]
mod tests;
mod transport;
mod websocket;

pub use case::{Case, CaseError, Chapter, Level};
pub use http::{Exchange, HttpAnswer, HttpRequest};
pub use in_process::{InProcess, InProcessConnection};
pub use mailbox::Mailbox;
pub use report::{Counts, Failure, Outcome, Report, Verdict};
pub use runner::{Options, run};
pub use sockjs::{SockJs, SockJsConnection};
pub use step::{Action, Binary, Call, CloseCode, ExpectedMail, Opening, Step};
pub use transport::{Connection, Received, Transport, TransportError};
pub use websocket::{WebSocket, WebSocketConnection};
