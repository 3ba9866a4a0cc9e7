//! What many failed log-ins lead to: the name, and the address, are refused for a while. Counted in the store, with the
//! settings and error codes of Rocket.Chat.
//!
//! A name is counted as it was typed, whether there is such a user or not: a block says nothing about that. What the user
//! has failed under all of its names is counted too, but then the answer is the one for a wrong password.

use std::time::Duration;

use bolide_protocol::DdpError;

use super::AccountsCore;
use crate::call::Connection;
use crate::settings;
use crate::store::{FailureRule, StoreError, User, fold};
use crate::user::UserId;

/// From one address.
const ATTEMPTS_AT_ONCE: u8 = 8;

/// Whose failures are counted together.
#[derive(Clone, Debug)]
pub(crate) struct Suspect {
    /// The name or address as typed; nothing if none was.
    pub(crate) name: Option<String>,
    pub(crate) user: Option<UserId>,
    pub(crate) address: Option<String>,
}

/// Why a log-in is not tried.
pub(crate) enum Block {
    /// The client is told.
    Open(DdpError),
    /// The client is told that the password is wrong.
    Silent,
}

impl Suspect {
    pub(crate) fn new(name: Option<&str>, user: Option<&User>, connection: Option<&Connection>) -> Self {
        Self {
            name: name.map(str::to_owned),
            user: user.map(|user| user.id.clone()),
            address: connection.map(counted_address),
        }
    }

    fn name_key(&self) -> Option<String> {
        // A counter has a name of bounded length.
        let folded: String = fold(self.name.as_deref()?).chars().take(100).collect();
        Some(format!("login:name:{folded}"))
    }

    /// For a name that nobody has there is a counter of its own, or the time that it takes to write one more would tell
    /// which names somebody has.
    fn user_key(&self) -> Option<String> {
        match &self.user {
            Some(user) => Some(format!("login:user:{user}")),
            None => Some(format!("login:nobody:{}", self.name_key()?)),
        }
    }

    fn address_key(&self) -> Option<String> {
        Some(format!("login:address:{}", self.address.as_ref()?))
    }

    /// So few attempts from one address go on at once that no burst outruns the count.
    pub(crate) fn address_lock_key(&self) -> Option<String> {
        let name = self.name.as_deref().unwrap_or_default();
        let place = name.bytes().fold(0_u8, u8::wrapping_add) % ATTEMPTS_AT_ONCE;
        Some(format!("{}:{place}", self.address_key()?))
    }

    /// Attempts with the same key go one after another.
    pub(crate) fn lock_key(&self) -> String {
        self.user_key().or_else(|| self.address_key()).unwrap_or_default()
    }
}

/// Returns the name under which failures from a connection are counted. All clients whose address is unknown, since they came
/// through more or fewer proxies than were announced, share a counter.
pub(crate) fn counted_address(connection: &Connection) -> String {
    connection.peer().network().map_or_else(|| "unknown".to_owned(), |network| network.to_string())
}

impl AccountsCore {
    /// Whether a log-in may be tried now.
    pub(crate) async fn find_block(&self, suspect: &Suspect) -> Result<Option<Block>, StoreError> {
        if self.counts_addresses(suspect)
            && let Some(key) = suspect.address_key()
            && self.store.attempts(&key).await?.is_blocked(self.now())
        {
            let told = DdpError::new("error-login-blocked-for-ip", "Login has been temporarily blocked For IP");
            return Ok(Some(Block::Open(told)));
        }
        if !self.counts_users() {
            return Ok(None);
        }
        if let Some(key) = suspect.name_key()
            && self.store.attempts(&key).await?.is_blocked(self.now())
        {
            let told = DdpError::new("error-login-blocked-for-user", "Login has been temporarily blocked For User");
            return Ok(Some(Block::Open(told)));
        }
        if let Some(key) = suspect.user_key()
            && self.store.attempts(&key).await?.is_blocked(self.now())
        {
            return Ok(Some(Block::Silent));
        }
        Ok(None)
    }

    /// Counts a log-in that failed.
    pub(crate) async fn count_failed_login(&self, suspect: &Suspect) -> Result<(), StoreError> {
        let now = self.now();
        if self.counts_users() {
            let rule = self.rule(&settings::ATTEMPTS_UNTIL_BLOCK_BY_USER, &settings::MINUTES_TO_UNBLOCK_USER);
            for key in [suspect.name_key(), suspect.user_key()].into_iter().flatten() {
                self.store.count_failure(&key, rule, now).await?;
            }
        }
        if self.counts_addresses(suspect)
            && let Some(key) = suspect.address_key()
        {
            let rule = self.rule(&settings::ATTEMPTS_UNTIL_BLOCK_BY_ADDRESS, &settings::MINUTES_TO_UNBLOCK_ADDRESS);
            // An address is shared by many: after a block it begins anew.
            let rule = FailureRule { forgotten_after: rule.first_block, ..rule };
            self.store.count_failure(&key, rule, now).await?;
        }
        Ok(())
    }

    /// A log-in succeeded: the user's failures are forgotten. Those of the address are not, or anybody with an account
    /// could wipe them out.
    pub(crate) async fn forget_failed_logins(&self, suspect: &Suspect) -> Result<(), StoreError> {
        for key in [suspect.name_key(), suspect.user_key()].into_iter().flatten() {
            self.store.forget_failures(&key).await?;
        }
        Ok(())
    }

    fn counts_users(&self) -> bool {
        self.settings.get(&settings::BLOCK_FAILED_LOGINS) && self.settings.get(&settings::BLOCK_BY_USER)
    }

    fn counts_addresses(&self, suspect: &Suspect) -> bool {
        let spared = self.settings.get(&settings::ADDRESSES_NEVER_BLOCKED);
        let is_spared =
            suspect.address.as_deref().is_some_and(|own| spared.split(',').any(|spared| spared.trim() == own));
        self.settings.get(&settings::BLOCK_FAILED_LOGINS)
            && self.settings.get(&settings::BLOCK_BY_ADDRESS)
            && !is_spared
    }

    fn rule(&self, limit: &settings::Setting<i64>, minutes: &settings::Setting<i64>) -> FailureRule {
        let block = Duration::from_mins(self.settings.get(minutes).try_into().unwrap_or(5));
        FailureRule {
            limit: self.settings.get(limit).try_into().unwrap_or(u32::MAX),
            first_block: block,
            longest_block: block,
            forgotten_after: Duration::from_hours(24),
        }
    }
}
