//! [`Codes`]: uses each backup code of a user on all nodes at once. It must be taken once.

use bolide::client::Login;
use futures::future::join_all;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use totp_rs::{Builder, Secret};

use crate::client::{Ours, Outcome};

/// The secret of bob's authenticator app.
const SECRET: &str = "JBSWY3DPEHPK3PXP";

/// The maximum number of codes that are used in a run. All but one of the tries of each fail, and after a hundred failures the
/// address of all clients would be blocked.
const MOST: usize = 30;

/// A user with a session on each node.
#[derive(Debug)]
pub(crate) struct Codes {
    clients: Vec<Ours>,
    /// Backup codes that were not used yet.
    unused: Vec<String>,
    /// The answers to each code that was used.
    tries: Vec<Tries>,
    random: StdRng,
}

/// What all nodes have answered to one code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tries {
    taken: usize,
    /// Answers that it is wrong: another one has taken it.
    wrong: usize,
    /// It is not known what was done, or it was not checked.
    open: usize,
}

impl Codes {
    /// Logs in on each node, and makes backup codes.
    pub(crate) async fn prepare(ports: &[u16], random: StdRng) -> anyhow::Result<Self> {
        let clients = sessions(ports, "bob").await?;
        let code = totp(&clients[0], SECRET).await?;
        let mut codes = Self { clients, unused: Vec::new(), tries: Vec::new(), random };
        codes.regenerate(&code).await?;
        Ok(codes)
    }

    /// Uses codes until it is told to stop.
    pub(crate) async fn run(&mut self, stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            self.use_one().await;
            let pause = self.random.random_range(500..1_500);
            sleep(Duration::from_millis(pause)).await;
        }
    }

    /// The number of codes that were taken once.
    pub(crate) fn taken(&self) -> usize {
        self.tries.iter().filter(|tries| tries.taken == 1).count()
    }

    /// Returns what is wrong.
    pub(crate) fn check(&self) -> Vec<String> {
        self.tries.iter().filter_map(Tries::check).collect()
    }

    /// Uses two codes as if they were one (a test of the rig itself).
    pub(crate) async fn forge_a_reuse(&mut self) {
        self.use_one().await;
        self.use_one().await;
        if let Some(last) = self.tries.pop()
            && let Some(first) = self.tries.last_mut()
        {
            first.taken += last.taken;
        }
    }

    async fn use_one(&mut self) {
        if self.tries.len() >= MOST {
            return;
        }
        let Some(code) = self.unused.pop() else {
            // What fails while something is away is tried again.
            if let Ok(code) = totp(&self.clients[0], SECRET).await {
                let _made = self.regenerate(&code).await;
            }
            return;
        };
        let proof = json!([{ "twoFactorCode": code, "twoFactorMethod": "totp" }]);
        let calls = self.clients.iter().map(|client| client.call("gatedNoRemember", proof.clone()));
        let mut tries = Tries::default();
        for answer in join_all(calls).await {
            match answer {
                Outcome::Done(_) => tries.taken += 1,
                refused if refused.is_refused_as("totp-invalid") => tries.wrong += 1,
                _ => tries.open += 1,
            }
        }
        self.tries.push(tries);
    }

    /// Makes new codes with one of the app.
    async fn regenerate(&mut self, code: &str) -> anyhow::Result<()> {
        let answer = self.clients[0].call("2fa:regenerateCodes", json!([code])).await;
        let Outcome::Done(Value::Object(made)) = &answer else { anyhow::bail!("no backup codes: {answer:?}") };
        self.unused = serde_json::from_value(made.get("codes").cloned().unwrap_or_default())?;
        Ok(())
    }
}

impl Tries {
    fn check(&self) -> Option<String> {
        match self {
            Self { taken: 2.., .. } => Some(format!("a backup code was taken {} times", self.taken)),
            Self { taken: 0, open: 0, .. } => Some("a valid backup code was taken on no node".to_owned()),
            _ => None,
        }
    }
}

/// Opens a session of a user on each node.
pub(crate) async fn sessions(ports: &[u16], user: &str) -> anyhow::Result<Vec<Ours>> {
    let mut clients = Vec::new();
    for port in ports {
        let client = Ours::connect(*port).await?;
        let answer = client.call("issueToken", json!([user])).await;
        let Outcome::Done(Value::String(token)) = answer else { anyhow::bail!("no token: {answer:?}") };
        let login = client.login(Login::resume(&token)).await;
        anyhow::ensure!(login.is_done(), "{login:?}");
        clients.push(client);
    }
    Ok(clients)
}

/// Returns what an authenticator app shows at the time of a node.
pub(crate) async fn totp(client: &Ours, secret: &str) -> anyhow::Result<String> {
    let answer = client.call("advanceClock", json!([0])).await;
    let Outcome::Done(now) = &answer else { anyhow::bail!("no time: {answer:?}") };
    let secret = Secret::try_from_base32(secret).map_err(|error| anyhow::anyhow!("{error}"))?;
    let seconds = now.as_u64().unwrap_or_default() / 1000;
    Ok(Builder::new().with_secret(secret).build_noncompliant().generate(seconds).to_string())
}

#[cfg(test)]
mod tests {
    use super::Tries;

    #[test]
    fn a_code_that_is_taken_twice_or_never_is_found() {
        assert_eq!(Tries { taken: 1, wrong: 2, open: 0 }.check(), None);
        assert_eq!(Tries { taken: 0, wrong: 2, open: 1 }.check(), None);
        assert!(Tries { taken: 2, wrong: 1, open: 0 }.check().is_some());
        assert!(Tries { taken: 0, wrong: 3, open: 0 }.check().is_some());
    }
}
