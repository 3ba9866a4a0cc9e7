//! [`TrustedClients`]: a client that has shown a second factor is not asked again for a while ("remember me"). The trust
//! is kept with its login token, and holds only for the same address and program.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::accounts::Foundation;
use crate::call::{Connection, MethodResult, Requirement};
use crate::clock::Clock;
use crate::keys::KeyRing;
use crate::settings::{REMEMBER_FOR, Settings};
use crate::store::{Fingerprint, LoginToken, Store, Trust, User};

/// Which clients are trusted, and for how long.
pub(super) struct TrustedClients {
    store: Arc<dyn Store>,
    keys: Arc<KeyRing>,
    settings: Settings,
    clock: Arc<dyn Clock>,
}

impl TrustedClients {
    pub(super) fn new(accounts: &Foundation) -> Self {
        Self {
            store: Arc::clone(&accounts.store),
            keys: Arc::clone(&accounts.keys),
            settings: accounts.settings.clone(),
            clock: Arc::clone(&accounts.clock),
        }
    }

    /// Returns whether this client has shown a second factor with this token recently enough for the requirement.
    pub(super) fn is_trusted(
        &self,
        token: &LoginToken,
        connection: Option<&Connection>,
        requirement: Requirement,
    ) -> bool {
        let (Some(trust), Some(connection)) = (&token.trust, connection) else { return false };
        let now = self.clock.now();
        let is_fresh = requirement.maximum_age().is_none_or(|age| now <= trust.since.plus(age));
        now <= trust.until && is_fresh && self.fingerprints(token, connection).contains(&trust.fingerprint)
    }

    /// Returns whether the user signed up so recently that a user without a factor is not asked yet.
    pub(super) fn is_in_grace(&self, user: &User) -> bool {
        let lifetime = self.lifetime();
        !lifetime.is_zero() && self.clock.now() <= user.created_at.plus(lifetime)
    }

    /// Trusts this client, with this token, from now on. Has no effect if the settings trust no client.
    pub(super) async fn trust(&self, token: &LoginToken, connection: &Connection) -> MethodResult<()> {
        let lifetime = self.lifetime();
        if lifetime.is_zero() {
            return Ok(());
        }
        let Some(fingerprint) = self.fingerprints(token, connection).into_iter().next() else { return Ok(()) };
        let since = self.clock.now();
        self.store.trust_token(&token.hashed, Trust { since, until: since.plus(lifetime), fingerprint }).await?;
        Ok(())
    }

    fn fingerprints(&self, token: &LoginToken, connection: &Connection) -> Vec<Fingerprint> {
        let peer = connection.peer();
        let client = json!([peer.header("user-agent"), peer.address]).to_string();
        let hashes = self.keys.hashes("trust", token.hashed.as_str(), &client);
        hashes.into_iter().map(|hash| Fingerprint(hash.as_str().as_bytes().to_vec())).collect()
    }

    fn lifetime(&self) -> Duration {
        Duration::from_secs(self.settings.get(&REMEMBER_FOR).try_into().unwrap_or(0))
    }
}
