//! [`Blocks`]: after many failed logins, a name or an address is blocked for a while. Counted in the store, with the
//! settings and error codes of Rocket.Chat.
//!
//! A name is counted as it was typed, whether there is such a user or not: a block does not reveal it. The failures of a
//! user under all names are counted too, but that block answers as a wrong password does.

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::DdpError;

use super::counters::{CounterKey, Counters, counted_address};
use super::locks::KeyLock;
use super::turns::{Busy, Waiting, waiting_as};
use crate::call::Connection;
use crate::peer::Network;
use crate::settings::{self, Setting, Settings};
use crate::store::{FailureRule, StoreError, User};
use crate::user::UserId;

/// The maximum number of logins from one address that are checked at once.
const ATTEMPTS_AT_ONCE: u8 = 8;

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

/// Why a login is not tried.
pub(super) enum Block {
    /// The client receives this error.
    Open(DdpError),
    /// The client receives the error for a wrong password.
    Silent,
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

    /// Waits until no other login of the same user, or else from the same address, is checked.
    ///
    /// # Errors
    /// [`Busy`] if too many wait already.
    pub(super) async fn lock(&self, origin: &LoginOrigin) -> Result<Option<KeyLock>, Busy> {
        let Some(key) = origin.user_key().or_else(|| origin.address_key()) else { return Ok(None) };
        self.counters.lock(&key, origin.network).await.map(Some)
    }

    /// Waits until few enough logins from the same address are checked that no burst of them outruns the count. Taken
    /// before [`lock`](Self::lock): a login that waits for others of its address must not hold the lock of a user.
    ///
    /// # Errors
    /// [`Busy`] if too many wait already.
    pub(super) async fn lock_address(&self, origin: &LoginOrigin) -> Result<Option<KeyLock>, Busy> {
        let name = origin.name.as_deref().unwrap_or_default();
        let part = name.bytes().fold(0_u8, u8::wrapping_add) % ATTEMPTS_AT_ONCE;
        let Some(key) = origin.address_key() else { return Ok(None) };
        self.counters.lock(&key.part(part), origin.network).await.map(Some)
    }

    /// Returns the block that applies to a login now.
    pub(super) async fn find(&self, origin: &LoginOrigin) -> Result<Option<Block>, StoreError> {
        if self.counts_addresses(origin) && self.is_blocked(origin.address_key()).await? {
            let told = DdpError::new("error-login-blocked-for-ip", "Login has been temporarily blocked For IP");
            return Ok(Some(Block::Open(told)));
        }
        if !self.counts_users() {
            return Ok(None);
        }
        if self.is_blocked(origin.name_key()).await? {
            let told = DdpError::new(BLOCKED_USER, "Login has been temporarily blocked For User");
            return Ok(Some(Block::Open(told)));
        }
        Ok(self.is_blocked(origin.user_key()).await?.then_some(Block::Silent))
    }

    async fn is_blocked(&self, key: Option<CounterKey>) -> Result<bool, StoreError> {
        match key {
            Some(key) => self.counters.is_blocked(&key).await,
            None => Ok(false),
        }
    }

    /// Counts a login that failed.
    pub(super) async fn count_failure(&self, origin: &LoginOrigin) -> Result<(), StoreError> {
        if self.counts_users() {
            let rule = self.rule(&settings::ATTEMPTS_UNTIL_BLOCK_BY_USER, &settings::MINUTES_TO_UNBLOCK_USER);
            for key in [origin.name_key(), origin.user_key()].into_iter().flatten() {
                self.counters.count(&key, rule).await?;
            }
        }
        if self.counts_addresses(origin)
            && let Some(key) = origin.address_key()
        {
            let rule = self.rule(&settings::ATTEMPTS_UNTIL_BLOCK_BY_ADDRESS, &settings::MINUTES_TO_UNBLOCK_ADDRESS);
            // Many clients share an address: after a block, the count begins again.
            let rule = FailureRule { forgotten_after: rule.first_block, ..rule };
            self.counters.count(&key, rule).await?;
        }
        Ok(())
    }

    /// Forgets the failures of a user who has logged in. Those of the address stay, or any client with an account could
    /// reset them.
    pub(super) async fn forget(&self, origin: &LoginOrigin) -> Result<(), StoreError> {
        for key in [origin.name_key(), origin.user_key()].into_iter().flatten() {
            self.counters.forget(&key).await?;
        }
        Ok(())
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
