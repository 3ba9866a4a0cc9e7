//! Transports: how frames come from a client and go to it. They know nothing of methods.
//!
//! - [`server`] is the app as all of them see it;
//! - [`listener`] accepts sockets, and ends them in order;
//! - [`http`] answers the requests of a listener and upgrades those to `/websocket`;
//! - [`websocket`] is the raw WebSocket that DDP clients outside of browsers speak;
//! - [`sockjs`] is what browsers speak, where Meteor's client runs;
//! - [`memory`] is a pair of queues, for tests and for clients in the same process.

pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod memory;
pub(crate) mod peer;
pub(crate) mod proxies;
pub(crate) mod server;
pub(crate) mod sockjs;
pub(crate) mod websocket;
