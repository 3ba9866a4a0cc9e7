//! Wrong codes and wrong passwords on all nodes at once: exactly the budget of one user is checked.

use bolide::client::Login;
use futures::future::join_all;
use serde_json::json;

use super::codes::{sessions, totp};
use crate::client::{Ours, Outcome};

/// How many wrong codes of a user are checked in a row. The last one is answered as one that is not checked.
const CODES: usize = 10;

/// How many failed logins of a user are checked.
const LOGINS: usize = 10;

/// How many are tried on each node.
const TRIES: usize = 12;

/// What was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// It was checked, and wrong.
    pub(crate) wrong: usize,
    /// It was not checked.
    pub(crate) blocked: usize,
    /// Any other answer.
    pub(crate) other: usize,
}

impl Answers {
    fn of(answers: &[Outcome], wrong: &str, blocked: &str) -> Self {
        let count = |code: &str| answers.iter().filter(|answer| answer.is_refused_as(code)).count();
        let (wrong, blocked) = (count(wrong), count(blocked));
        Self { wrong, blocked, other: answers.len() - wrong - blocked }
    }

    /// Returns what is wrong if exactly so many had to be checked.
    fn check(self, budget: usize, what: &str) -> Option<String> {
        let is_right = self.wrong == budget && self.other == 0;
        (!is_right).then(|| format!("{budget} wrong {what} had to be checked: {self:?}"))
    }
}

/// Uses up both budgets, on healthy nodes. Returns what is wrong.
pub(crate) async fn check(ports: &[u16]) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    wrong.extend(wrong_codes(ports).await?.check(CODES - 1, "codes"));
    wrong.extend(right_code(ports).await?);
    wrong.extend(wrong_passwords(ports).await?.check(LOGINS, "passwords"));
    Ok(wrong)
}

/// Tries wrong codes of zoe on all nodes at once.
pub(crate) async fn wrong_codes(ports: &[u16]) -> anyhow::Result<Answers> {
    let clients = sessions(ports, "zoe").await?;
    let proof = json!([{ "twoFactorCode": "0", "twoFactorMethod": "totp" }]);
    let calls = (0..TRIES).flat_map(|_| clients.iter().map(|client| client.call("gatedNoRemember", proof.clone())));
    Ok(Answers::of(&join_all(calls).await, "totp-invalid", "totp-max-attempts"))
}

/// The right code is refused while the user is blocked.
async fn right_code(ports: &[u16]) -> anyhow::Result<Option<String>> {
    let clients = sessions(&ports[..1], "zoe").await?;
    let code = totp(&clients[0], "KRSXG5CTMVRXEZLU").await?;
    let proof = json!([{ "twoFactorCode": code, "twoFactorMethod": "totp" }]);
    let answer = clients[0].call("gatedNoRemember", proof).await;
    Ok((!answer.is_refused_as("totp-max-attempts")).then(|| format!("a blocked user's code was answered {answer:?}")))
}

/// Tries wrong passwords of nina on all nodes at once.
async fn wrong_passwords(ports: &[u16]) -> anyhow::Result<Answers> {
    let mut clients = Vec::new();
    for port in ports.iter().cycle().take(2 * TRIES) {
        clients.push(Ours::connect(*port).await?);
    }
    let logins = clients.iter().map(|client| client.login(Login::password("nina", "another letter")));
    Ok(Answers::of(&join_all(logins).await, "403", "error-login-blocked-for-user"))
}

#[cfg(test)]
mod tests {
    use super::Answers;

    #[test]
    fn a_budget_that_is_exceeded_or_not_used_is_found() {
        let answers = |wrong| Answers { wrong, blocked: 20, other: 0 };
        assert_eq!(answers(10).check(10, "codes"), None);
        assert!(answers(11).check(10, "codes").is_some());
        assert!(answers(9).check(10, "codes").is_some());
        assert!(Answers { other: 1, ..answers(10) }.check(10, "codes").is_some());
    }
}
