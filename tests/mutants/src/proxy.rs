//! [`Proxy`]: a transport that applies mutations to what passes through it.

use std::collections::VecDeque;

use bolide::conformance::{Connection, Opening, Received, Transport, TransportError};
use http::{Request, Response};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::conversation::Conversation;
use crate::mutation::{End, Ending, Fault, Mutation, Out};
use crate::writing::written;

/// A transport to a server that has these mutations.
pub(crate) struct Proxy<'run, T> {
    pub(crate) server: &'run T,
    pub(crate) mutations: &'run [Mutation],
}

pub(crate) struct ProxyConnection<'run, C> {
    server: C,
    /// The mutations, each with what it knows.
    stages: Vec<(&'run Fault, Conversation)>,
    waiting: VecDeque<Out>,
    /// When the wait ends that a mutation has inserted.
    until: Option<Instant>,
    /// How the connection has ended for the client.
    ended: Option<Received>,
}

impl<'run, T: Transport> Transport for Proxy<'run, T> {
    type Connection = ProxyConnection<'run, T::Connection>;

    async fn open(&self, opening: &Opening) -> Result<Self::Connection, TransportError> {
        let mut opening = opening.clone();
        let mut waiting = VecDeque::new();
        for Mutation { fault, .. } in self.mutations {
            match fault {
                Fault::Open(change) => change(&mut opening),
                Fault::Greeting(greeting) => waiting.push_back(Out::Message(greeting.clone())),
                _ => {}
            }
        }
        let server = self.server.open(&opening).await?;
        let stages = self.mutations.iter().map(|mutation| (&mutation.fault, Conversation::default())).collect();
        Ok(ProxyConnection { server, stages, waiting, until: None, ended: None })
    }

    async fn request(&self, mut request: Request<String>) -> Result<Response<String>, TransportError> {
        let asked = request.uri().path().to_owned();
        for Mutation { fault, .. } in self.mutations {
            if let Fault::Request(change) = fault {
                change(&mut request);
            }
        }
        let mut answer = self.server.request(request).await?;
        for Mutation { fault, .. } in self.mutations {
            if let Fault::Answer(change) = fault {
                change(&asked, &mut answer);
            }
        }
        Ok(answer)
    }
}

impl<C: Connection> Connection for ProxyConnection<'_, C> {
    async fn send_text(&mut self, text: String) {
        let Ok(message) = serde_json::from_str::<Value>(&text) else {
            return self.server.send_text(text).await;
        };
        let mut messages = vec![message.clone()];
        for (fault, conversation) in &mut self.stages {
            for message in &messages {
                conversation.note_client(message);
            }
            if let Fault::Client(rewrite) = fault {
                messages = messages.into_iter().flat_map(|message| rewrite(conversation, message)).collect();
            }
        }
        for changed in messages {
            // What is malformed on purpose stays as it is.
            let text = if changed == message { text.clone() } else { changed.to_string() };
            self.server.send_text(text).await;
        }
    }

    async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.server.send_binary(bytes).await;
    }

    async fn receive(&mut self) -> Received {
        loop {
            if let Some(until) = self.until {
                sleep_until(until).await;
                self.until = None;
            }
            if let Some(received) = self.take_waiting().await {
                return received;
            }
            if let Some(ended) = &self.ended {
                return ended.clone();
            }
            match self.server.receive().await {
                Received::Text(text) => self.rewrite(&text),
                Received::Binary(bytes) => return Received::Binary(bytes),
                Received::Closed(code) => self.end(code).await,
            }
        }
    }

    async fn close(&mut self, code: u16) {
        self.server.close(code).await;
    }
}

impl<C: Connection> ProxyConnection<'_, C> {
    /// Returns what the client is given next, or `None` if it has to wait for the server.
    async fn take_waiting(&mut self) -> Option<Received> {
        while let Some(out) = self.waiting.pop_front() {
            match out {
                Out::Message(message) => return Some(Received::Text(written(&message))),
                Out::Text(text) => return Some(Received::Text(text)),
                Out::Binary(bytes) => return Some(Received::Binary(bytes)),
                Out::End(code) => {
                    self.waiting.clear();
                    self.ended = Some(Received::Closed(code));
                }
                Out::Reply(message) => self.server.send_text(message.to_string()).await,
                Out::Wait(time) => {
                    // A wait that is given up goes on in the next call.
                    let until = Instant::now() + time;
                    self.until = Some(until);
                    sleep_until(until).await;
                    self.until = None;
                }
            }
        }
        None
    }

    fn rewrite(&mut self, text: &str) {
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            return self.waiting.push_back(Out::Text(text.to_owned()));
        };
        let mut outs = vec![Out::Message(message.clone())];
        for (fault, conversation) in &mut self.stages {
            outs = match fault {
                Fault::Server(rewrite) => through(outs, |message| rewrite(conversation, message)),
                Fault::Frame(write) => outs.into_iter().map(|out| framed(out, *write, &message, text)).collect(),
                _ => outs,
            };
            for out in &outs {
                if let Out::Message(message) = out {
                    conversation.note_server(message);
                }
            }
        }
        // A message that is the same keeps its text, and with it the order of the keys in its values.
        let same =
            |out| if matches!(&out, Out::Message(it) if *it == message) { Out::Text(text.to_owned()) } else { out };
        self.waiting.extend(outs.into_iter().map(same));
    }

    /// Ends the connection as the server did, unless a mutation ends it differently or not at all.
    async fn end(&mut self, code: End) {
        let mut ended = code;
        for (fault, conversation) in &self.stages {
            let Fault::End(change) = fault else { continue };
            match change(conversation, ended) {
                Ending::With(code) => ended = code,
                Ending::Never => std::future::pending().await,
            }
        }
        self.ended = Some(Received::Closed(ended));
    }
}

/// Writes a message, or a text that another mutation has written, in another way.
fn framed(out: Out, write: fn(String) -> Out, message: &Value, text: &str) -> Out {
    match out {
        Out::Message(same) if same == *message => write(text.to_owned()),
        Out::Message(changed) => write(written(&changed)),
        Out::Text(text) => write(text),
        other => other,
    }
}

/// Rewrites the messages among `outs`.
fn through(outs: Vec<Out>, mut rewrite: impl FnMut(Value) -> Vec<Out>) -> Vec<Out> {
    let rewritten = outs.into_iter().flat_map(|out| match out {
        Out::Message(message) => rewrite(message),
        other => vec![other],
    });
    rewritten.collect()
}
