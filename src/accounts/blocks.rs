//! [`Blocks`]: after many failed logins, a name or an address is blocked for a while. Counted in the store, with the
//! settings and error codes of Rocket.Chat.
//!
//! A name is counted as it was typed, whether there is such a user or not: a block does not reveal it. The failures of a
//! user under all names are counted too, but that block answers as a wrong password does.
//!
//! A login is [counted](Blocks::begin) before its password is checked, and refunded if it does not fail.

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::DdpError;

use super::counters::{Counted, CounterKey, Counters, counted_address};
use super::turns::{Waiting, waiting_as};
use crate::call::{Connection, MethodResult};
use crate::peer::Network;
use crate::settings::{self, Setting, Settings};
use crate::store::{FailureRule, StoreError, User};
use crate::user::UserId;

/// The error for a login under a name that is blocked.
pub(super) const BLOCKED_USER: &str = "error-login-blocked-for-user";

/// What the failures of a login are counted under.
#[derive(Clone, Debug)]
pub(super) struct LoginOrigin {
    /// The name or address as typed. `None` if the client has sent none.
    pub(super) name: Option<String>,
    pub(super) user: Option<UserId>,
    address: Option<String>,
    /// `None` if the client's address is unknown.
    network: Waiting,
}

/// Whether a login is tried.
pub(super) enum Begun {
    /// It is counted as failed, until it is refunded.
    Counted(CountedLogin),
    /// It fails, whether the password is right or not, and the client receives the error for a wrong password.
    Silent,
    /// It is not tried, and the client receives this error.
    Open(DdpError),
}

/// A login that is counted as failed. Dropped, it stays so.
#[must_use = "a login that is not refunded stays counted as failed"]
#[derive(Default)]
pub(super) struct CountedLogin {
    address: Option<Counted>,
    /// Under the name, and of the user.
    own: Vec<Counted>,
}

/// Counts failed logins, and blocks further ones.
pub(super) struct Blocks {
    counters: Arc<Counters>,
    settings: Settings,
}

impl LoginOrigin {
    pub(super) fn new(name: Option<&str>, user: Option<&User>, connection: Option<&Connection>) -> Self {
        Self {
            name: name.map(str::to_owned),
            user: user.map(|user| user.id.clone()),
            address: connection.map(counted_address),
            network: waiting_as(connection),
        }
    }

    fn name_key(&self) -> Option<CounterKey> {
        self.name.as_deref().map(CounterKey::login_name)
    }

    /// A name that no user has is counted under a key of its own here, or the time for one more write would reveal which
    /// names there are.
    fn user_key(&self) -> Option<CounterKey> {
        match &self.user {
            Some(user) => Some(CounterKey::login_user(user)),
            None => self.name.as_deref().map(CounterKey::login_unknown),
        }
    }

    fn address_key(&self) -> Option<CounterKey> {
        self.address.as_deref().map(CounterKey::login_address)
    }
}

impl Blocks {
    pub(super) fn new(counters: &Arc<Counters>, settings: &Settings) -> Self {
        Self { counters: Arc::clone(counters), settings: settings.clone() }
    }

    /// Counts a login that is about to be checked, unless there is a block. The counters are taken in one order by all
    /// logins, since one that is refused waits for those that may be refunded.
    ///
    /// # Errors
    /// `too-many-requests` if too many wait already.
    pub(super) async fn begin(&self, origin: &LoginOrigin) -> MethodResult<Begun> {
        match (self.begin_as_typed(origin).await?, origin.user_key()) {
            (Begun::Counted(login), Some(key)) if self.counts_users() => self.count_user(key, login).await,
            (begun, _) => Ok(begun),
        }
    }

    /// Counts a login whose user is not known yet: [`add_user`](Self::add_user) counts it under the user.
    pub(super) async fn begin_as_typed(&self, origin: &LoginOrigin) -> MethodResult<Begun> {
        let mut login = CountedLogin::default();
        if self.counts_addresses(origin)
            && let Some(key) = origin.address_key()
        {
            login.address = self.counters.count(key, self.address_rule()).await?;
            if login.address.is_none() {
                let told = DdpError::new("error-login-blocked-for-ip", "Login has been temporarily blocked For IP");
                return Ok(Begun::Open(told));
            }
        }
        if self.counts_users()
            && let Some(key) = origin.name_key()
        {
            let Some(counted) = self.counters.count(key, self.user_rule()).await? else {
                self.refund(login).await?;
                let told = DdpError::new(BLOCKED_USER, "Login has been temporarily blocked For User");
                return Ok(Begun::Open(told));
            };
            login.own.push(counted);
        }
        Ok(Begun::Counted(login))
    }

    /// Counts a login under its user too. `None` if the user is blocked.
    pub(super) async fn add_user(&self, user: &UserId, login: CountedLogin) -> MethodResult<Option<CountedLogin>> {
        if !self.counts_users() {
            return Ok(Some(login));
        }
        match self.count_user(CounterKey::login_user(user), login).await? {
            Begun::Counted(login) => Ok(Some(login)),
            Begun::Silent | Begun::Open(_) => Ok(None),
        }
    }

    async fn count_user(&self, key: CounterKey, mut login: CountedLogin) -> MethodResult<Begun> {
        let Some(counted) = self.counters.count(key, self.user_rule()).await? else { return Ok(Begun::Silent) };
        login.own.push(counted);
        Ok(Begun::Counted(login))
    }

    /// Takes back a login that did not fail, or was not checked.
    pub(super) async fn refund(&self, login: CountedLogin) -> Result<(), StoreError> {
        for counted in login.own.into_iter().rev().chain(login.address) {
            self.counters.refund(counted).await?;
        }
        Ok(())
    }

    /// Takes back a login that has succeeded, and forgets the failures of its user. Those of the address stay, or any client
    /// with an account could reset them.
    pub(super) async fn succeed(&self, login: CountedLogin) -> Result<(), StoreError> {
        for counted in login.own {
            self.counters.succeed(counted).await?;
        }
        match login.address {
            Some(counted) => self.counters.refund(counted).await,
            None => Ok(()),
        }
    }

    /// Forgets the failures of a user: passwords, under the username, the addresses and the id, and codes. Those of
    /// addresses stay.
    pub(super) async fn lift(&self, user: &User) -> Result<(), StoreError> {
        let addresses = user.emails.iter().map(|email| email.address.as_str());
        let names = addresses.chain(user.username.as_deref()).chain([user.id.as_str()]);
        let keys = names.map(CounterKey::login_name);
        for key in keys.chain([CounterKey::login_user(&user.id), CounterKey::factor_user(&user.id)]) {
            self.counters.forget(&key).await?;
        }
        Ok(())
    }

    fn counts_users(&self) -> bool {
        self.settings.get(&settings::BLOCK_FAILED_LOGINS) && self.settings.get(&settings::BLOCK_BY_USER)
    }

    fn counts_addresses(&self, origin: &LoginOrigin) -> bool {
        let spared = self.settings.get(&settings::ADDRESSES_NEVER_BLOCKED);
        let is_spared = origin.network.is_some_and(|own| networks(&spared).any(|spared| spared == own));
        self.settings.get(&settings::BLOCK_FAILED_LOGINS)
            && self.settings.get(&settings::BLOCK_BY_ADDRESS)
            && !is_spared
    }

    fn user_rule(&self) -> FailureRule {
        self.rule(&settings::ATTEMPTS_UNTIL_BLOCK_BY_USER, &settings::MINUTES_TO_UNBLOCK_USER)
    }

    fn address_rule(&self) -> FailureRule {
        let rule = self.rule(&settings::ATTEMPTS_UNTIL_BLOCK_BY_ADDRESS, &settings::MINUTES_TO_UNBLOCK_ADDRESS);
        // Many clients share an address: after a block, the count begins again.
        FailureRule { forgotten_after: rule.first_block, ..rule }
    }

    fn rule(&self, limit: &Setting<i64>, minutes: &Setting<i64>) -> FailureRule {
        let block = Duration::from_mins(self.settings.get(minutes).try_into().unwrap_or(5));
        FailureRule {
            limit: self.settings.get(limit).try_into().unwrap_or(u32::MAX),
            first_block: block,
            longest_block: block,
            forgotten_after: Duration::from_hours(24),
        }
    }
}

/// Returns the networks of the addresses in a list, in any of their spellings. What is not an address is passed over.
fn networks(list: &str) -> impl Iterator<Item = Network> {
    list.split(',').filter_map(|address| address.trim().parse().ok()).map(Network::of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_spared_in_any_spelling() {
        let listed: Vec<_> = networks("192.0.2.7, ::ffff:198.51.100.1 ,2001:DB8::1,nonsense,").collect();
        let expected = ["::ffff:192.0.2.7", "198.51.100.1", "2001:db8::1"];
        assert_eq!(listed, expected.map(|address| Network::of(address.parse().unwrap())));
    }
}
