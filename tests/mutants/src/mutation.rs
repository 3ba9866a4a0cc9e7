//! [`Mutation`]: a mistake or a legal variation of a server, and what it does to messages.

use std::fmt;
use std::time::Duration;

use bolide::conformance::{Level, Opening};
use http::{Request, Response};
use serde_json::Value;

use crate::conversation::Conversation;

/// Rewrites a message of the server.
pub(crate) type Rewrite = Box<dyn Fn(&mut Conversation, Value) -> Vec<Out> + Send + Sync>;

/// Rewrites a message of the client.
pub(crate) type RewriteOfClient = Box<dyn Fn(&mut Conversation, Value) -> Vec<Value> + Send + Sync>;

/// Changes the answer to a request for this path.
pub(crate) type Reply = Box<dyn Fn(&str, &mut Response<String>) + Send + Sync>;

/// The code with which a connection ends, or `None` if it ends without a close frame.
pub(crate) type End = Option<u16>;

/// A mistake of a server, or a variation that DDP allows.
#[derive(Debug)]
pub(crate) struct Mutation {
    /// What the server does.
    pub(crate) name: &'static str,
    /// The level that a mistake breaks, or the highest level at which a variation is legal.
    pub(crate) level: Level,
    /// The chapters that should notice a mistake. The others are played after them.
    pub(crate) chapters: &'static [&'static str],
    /// Whether the server needs quick heartbeats to show it.
    pub(crate) quick_heartbeats: bool,
    pub(crate) fault: Fault,
}

/// What a mutation does.
pub(crate) enum Fault {
    /// Rewrites the messages of the server.
    Server(Rewrite),
    /// Rewrites the messages of the client.
    Client(RewriteOfClient),
    /// Writes the frames of the server in another way.
    Frame(fn(String) -> Out),
    /// Sends this as soon as a connection is open.
    Greeting(Value),
    /// Ends connections in another way.
    End(fn(&Conversation, End) -> Ending),
    /// Changes the request that opens a connection.
    Open(fn(&mut Opening)),
    /// Changes HTTP requests.
    Request(fn(&mut Request<String>)),
    /// Changes answers to HTTP requests.
    Answer(Reply),
}

impl fmt::Debug for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Fault")
    }
}

/// Whether a connection ends.
pub(crate) enum Ending {
    With(End),
    Never,
}

/// What the client is sent, in order.
#[derive(Debug, Clone)]
pub(crate) enum Out {
    /// A message.
    Message(Value),
    /// This text, as it is.
    Text(String),
    /// A binary frame.
    Binary(Vec<u8>),
    /// Nothing for this time.
    Wait(Duration),
    /// The end of the connection.
    End(End),
    /// Nothing; the server is sent this, as if by the client.
    Reply(Value),
}
