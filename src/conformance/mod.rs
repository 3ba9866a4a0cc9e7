//! Runs the conformance cases of `protocol/conformance` against any DDP server: sends the messages of each case,
//! compares those that the server sends, and reports the outcome by chapter.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use bolide::conformance::{Level, Options, WebSocket, book, run};
//!
//! let server = WebSocket::new("ws://127.0.0.1:3000/websocket")?;
//! let options = Options::new("a text that is different in every run").level(Level::Meteor);
//! let report = run(&server, &book::embedded()?, &options).await;
//! report.write(&mut std::io::stdout())?;
//! # Ok(())
//! # }
//! ```
//!
//! In reading order:
//!
//! - [`Case`] and [`Step`]: the content of a file of cases, with errors that name the place;
//! - [`Level`], [`Release`] and [`Capability`]: the servers to which a case applies;
//! - [`book`]: the built-in cases, or those of a directory;
//! - `placeholder`, `computed`, `memory`, `matching`: the strings such as `<id>` that stand for a value;
//! - [`Transport`] and [`Connection`]: how the runner connects to a server, such as with [`WebSocket`];
//! - `reading`: the variations of messages that the DDP specification allows;
//! - `lines`: the connections of a case; `http`: its requests; [`Mailbox`]: the mails that it reads;
//! - `player`: runs one case step by step;
//! - `asking`: asks the application for its capabilities;
//! - `selection`, [`KnownFailures`]: the cases to run, and those that are expected to fail;
//! - [`preflight`]: finds out whether a server answers;
//! - [`run`] with [`Options`]: selects the cases and runs them;
//! - [`Report`]: the outcome of each case; [`Record`]: a report in a file; [`page`]: records side by side.

mod asking;
pub mod book;
mod capability;
mod case;
mod computed;
mod http;
mod in_process;
mod known_failures;
mod level;
mod lines;
mod mailbox;
pub(crate) mod matching;
pub(crate) mod memory;
mod nearest;
mod passkey;
pub(crate) mod placeholder;
mod player;
mod preflight;
mod reading;
mod release;
mod report;
mod runner;
mod selection;
mod sockjs;
mod step;
#[cfg(test)]
mod tests;
mod transport;
mod websocket;

pub use capability::Capability;
pub use case::{Case, CaseError, Chapter};
pub use http::{Exchange, HttpAnswer, HttpRequest};
pub use in_process::{InProcess, InProcessConnection};
pub use known_failures::{KnownFailures, KnownFailuresError};
pub use level::Level;
pub use mailbox::Mailbox;
pub use preflight::{Unreachable, preflight};
pub use release::{Product, Release};
pub use report::{Counts, Failure, Outcome, Record, RecordError, Report, Subject, Verdict, page};
pub use runner::{Options, run, run_watched};
pub use selection::UnknownName;
pub use sockjs::{SockJs, SockJsConnection, SockJsTransport};
pub use step::{Action, Binary, Call, CloseCode, ExpectedMail, Opening, Step};
pub use transport::{Connection, Received, Transport, TransportError};
pub use websocket::{WebSocket, WebSocketConnection};
