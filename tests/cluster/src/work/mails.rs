//! [`Mails`]: new users who ask for one mail each. It must be sent once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bolide::testing::SmtpSink;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::client::{Ours, Outcome};

/// How long a mail may take: one whose worker dies, or cannot say that it has sent it, is tried again after half a minute, and
/// once more after two.
const LATE: Duration = Duration::from_secs(160);

/// All users who were created.
#[derive(Debug)]
pub(crate) struct Mails {
    ports: Vec<u16>,
    random: StdRng,
    count: usize,
    asked: BTreeMap<String, Asked>,
    /// Whether a fault of this round lets a mail be sent twice.
    pub(crate) may_repeat: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    /// Whether the server has said that the mail will be sent.
    is_promised: bool,
    may_repeat: bool,
    /// When it must have come.
    due: Instant,
}

impl Mails {
    pub(crate) fn new(ports: Vec<u16>, random: StdRng) -> Self {
        Self { ports, random, count: 0, asked: BTreeMap::new(), may_repeat: false }
    }

    /// Asks for mails until it is told to stop.
    pub(crate) async fn run(&mut self, stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let _tried = self.ask().await;
            sleep(Duration::from_millis(self.random.random_range(300..900))).await;
        }
    }

    async fn ask(&mut self) -> anyhow::Result<()> {
        self.count += 1;
        let name = format!("user{}", self.count);
        let address = format!("{name}@example.com");
        let client = Ours::connect(self.ports[self.random.random_range(0..self.ports.len())]).await?;
        let user = json!([{ "username": name, "email": address, "password": "a long password" }]);
        if !client.call("createUser", user).await.is_done() {
            return Ok(());
        }
        let answer = client.call("sendVerificationEmail", json!([])).await;
        let is_promised = answer == Outcome::Done(true.into());
        self.asked.insert(address, Asked { is_promised, may_repeat: self.may_repeat, due: Instant::now() + LATE });
        Ok(())
    }

    pub(crate) fn promised(&self) -> usize {
        self.asked.values().filter(|asked| asked.is_promised).count()
    }

    /// Compares what was asked for with the mails that have arrived. Returns what is wrong.
    pub(crate) fn check(&self, mails: &SmtpSink) -> Vec<String> {
        let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
        for address in mails.received().into_iter().flat_map(|mail| mail.to) {
            *arrived.entry(address).or_default() += 1;
        }
        let wrong = |(address, asked): (&String, &Asked)| {
            let count = arrived.get(address).copied().unwrap_or_default();
            asked.check(count).map(|what| format!("{address} {what}"))
        };
        self.asked.iter().filter_map(wrong).collect()
    }

    /// Returns whether a promised mail has not come yet.
    pub(crate) fn are_missing(&self, mails: &SmtpSink) -> bool {
        let arrived: BTreeSet<String> = mails.received().into_iter().flat_map(|mail| mail.to).collect();
        self.asked.iter().any(|(address, asked)| asked.is_promised && !arrived.contains(address))
    }

    /// Returns when the last mail must have come.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.asked.values().map(|asked| asked.due).max()
    }

    /// Notes a mail that was never asked for (a test of the rig itself).
    pub(crate) fn forge_a_promise(&mut self) {
        let promise = Asked { is_promised: true, may_repeat: false, due: Instant::now() };
        self.asked.insert("nobody@example.com".to_owned(), promise);
    }
}

impl Asked {
    fn check(self, count: usize) -> Option<String> {
        match count {
            0 if self.is_promised && Instant::now() >= self.due => {
                Some("was promised a mail that has not come".to_owned())
            }
            2.. if !self.may_repeat => Some(format!("was sent the same mail {count} times")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{Asked, LATE};

    #[test]
    fn a_mail_that_is_missing_or_comes_twice_is_found() {
        let promised = Asked { is_promised: true, may_repeat: false, due: Instant::now() };
        assert!(promised.check(0).is_some());
        assert!(Asked { due: promised.due + LATE, ..promised }.check(0).is_none());
        assert!(promised.check(1).is_none());
        assert!(promised.check(2).is_some());
        assert!(Asked { may_repeat: true, ..promised }.check(2).is_none());
        assert!(Asked { is_promised: false, ..promised }.check(0).is_none());
    }
}
