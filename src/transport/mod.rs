//! Transports: receive frames from clients and send frames to them. They do not depend on methods.
//!
//! - [`server`] is the app as transports use it;
//! - [`listening`] is a TCP address, with [`tls`] or without, or a [`unix_socket`];
//! - [`listener`] accepts sockets and closes them gracefully; [`socket`] is an accepted one, and [`outage`] a time in which
//!   none can be accepted;
//! - [`proxies`] finds the client's address from that of the [`remote`] end of a socket, and [`origins`] are the pages that may open sessions;
//! - [`http`] routes HTTP requests, and [`upgrade`] upgrades those to WebSockets;
//! - [`websocket`] is the raw WebSocket, for DDP clients outside browsers, and [`lingering`] its end after a protocol error;
//! - [`direct`] is the same on a plain TCP socket, whose [`frames`] it reads itself;
//! - [`sockjs`] is the transport of Meteor's client in browsers;
//! - [`memory`] is a pair of queues, for tests and clients in the same process.

mod direct;
mod frames;
pub(crate) mod http;
mod lingering;
pub(crate) mod listener;
pub(crate) mod listening;
pub(crate) mod memory;
pub(crate) mod origins;
mod outage;
pub(crate) mod peer;
pub(crate) mod proxies;
pub(crate) mod ready;
pub(crate) mod remote;
pub(crate) mod server;
mod socket;
pub(crate) mod sockjs;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(unix)]
mod unix_socket;
pub(crate) mod upgrade;
pub(crate) mod websocket;
