//! [`Sessions`]: logs in, asks who it is, and revokes tokens on another node.

use std::sync::Arc;
use std::time::Duration;

use bolide::client::Login;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::client::{Client, Ours, Outcome};
use crate::proxy::{Protocol, Proxy};

/// The number of sessions that stay open.
const OPEN: usize = 6;

/// A session that was logged in with a token.
#[derive(Debug)]
struct Session {
    client: Ours,
    token: String,
    end: End,
    /// Follows its client if a node ends.
    _proxy: Proxy,
}

/// What is known of the end of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NotYet,
    Revoked,
    /// It may have been revoked.
    Unknown,
}

/// All sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    ports: Vec<u16>,
    /// Gives out tokens.
    source: Arc<Client>,
    random: StdRng,
    all: Vec<Session>,
    pub(crate) revoked: usize,
}

impl Sessions {
    pub(crate) fn new(ports: Vec<u16>, source: Arc<Client>, random: StdRng) -> Self {
        Self { ports, source, random, all: Vec::new(), revoked: 0 }
    }

    /// Opens and revokes sessions until it is told to stop.
    pub(crate) async fn run(&mut self, stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if self.all.iter().filter(|session| session.end == End::NotYet).count() < OPEN {
                // What fails is tried again.
                let _tried = self.open().await;
            } else {
                self.revoke().await;
            }
            sleep(Duration::from_millis(self.random.random_range(50..200))).await;
        }
    }

    async fn open(&mut self) -> anyhow::Result<()> {
        let Outcome::Done(Value::String(token)) = self.source.call("issueToken", json!(["alice"])).await else {
            return Ok(());
        };
        let proxy = Proxy::start(self.any_port(), Protocol::Any).await?;
        let client = Ours::connect(proxy.port()).await?;
        if client.login(Login::resume(&token)).await.is_done() {
            self.all.push(Session { client, token, end: End::NotYet, _proxy: proxy });
        }
        Ok(())
    }

    /// Revokes a token from another connection, on any node.
    async fn revoke(&mut self) {
        let live: Vec<usize> = (0..self.all.len()).filter(|number| self.all[*number].end == End::NotYet).collect();
        let chosen = live[self.random.random_range(0..live.len())];
        let Ok(client) = Ours::connect(self.any_port()).await else { return };
        if !client.login(Login::resume(&self.all[chosen].token)).await.is_done() {
            return;
        }
        let end = if client.logout().await.is_done() { End::Revoked } else { End::Unknown };
        self.revoked += usize::from(end == End::Revoked);
        self.all[chosen].end = end;
    }

    /// Checks, within a time, that sessions of revoked tokens do not answer, and that all others do. Returns what is wrong.
    /// Sessions that have ended are forgotten.
    pub(crate) async fn check(&mut self, until: Instant) -> Vec<String> {
        let mut wrong = Vec::new();
        for session in &self.all {
            wrong.extend(session.check(until).await);
        }
        self.all.retain(|session| session.end == End::NotYet);
        wrong
    }

    /// Says of a valid token that it was revoked (a test of the rig itself).
    pub(crate) fn forge_a_revocation(&mut self) {
        if let Some(session) = self.all.iter_mut().find(|session| session.end == End::NotYet) {
            session.end = End::Revoked;
        }
    }

    fn any_port(&mut self) -> u16 {
        self.ports[self.random.random_range(0..self.ports.len())]
    }
}

impl Session {
    async fn check(&self, until: Instant) -> Option<String> {
        let mut answer;
        loop {
            answer = self.client.call("whoami", json!([])).await;
            let is_right = match self.end {
                End::Unknown => true,
                End::NotYet => answer.is_done(),
                End::Revoked => matches!(answer, Outcome::Refused(..)),
            };
            if is_right {
                return None;
            }
            if Instant::now() > until {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        let what = if self.end == End::Revoked { "a session of a revoked token" } else { "a session of a valid token" };
        Some(format!("{what} answers {answer:?}; it was told:\n{}", self.client.recording().join("\n")))
    }
}
