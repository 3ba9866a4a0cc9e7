//! The user's own document, which every session has in its collection `users`, and which changes as the user does.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bolide_protocol::ejson::Object;
use futures::FutureExt as _;
use parking_lot::Mutex;

use super::AccountsCore;
use crate::call::MethodResult;
use crate::publication::{Subscription, send_difference};
use crate::registry::Registry;
use crate::user::UserId;

const COLLECTION: &str = "users";

/// The sessions that are shown a user's document.
#[derive(Default)]
pub(crate) struct Watchers {
    by_user: Mutex<HashMap<UserId, Vec<Arc<Watcher>>>>,
}

struct Watcher {
    user: UserId,
    subscription: Subscription,
    /// What the session was sent. Held while the user is read and sent, so that the latest is sent last.
    shown: tokio::sync::Mutex<Option<Object>>,
}

pub(super) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    let core: Weak<AccountsCore> = Arc::downgrade(core);
    registry.publish_universal(async move |subscription: Subscription| {
        let (Some(core), Some(user)) = (core.upgrade(), subscription.user_id().cloned()) else { return Ok(()) };
        let watcher = Arc::new(Watcher { user, subscription, shown: tokio::sync::Mutex::default() });
        // Before the first look: from then on, no change is missed.
        watch(&core, &watcher);
        watcher.refresh(&core).await?;
        watcher.subscription.ready();
        Ok(())
    });
}

/// Has the watcher told of changes, until its subscription ends.
fn watch(core: &Arc<AccountsCore>, watcher: &Arc<Watcher>) {
    core.watchers.add(watcher);
    let (core, weak, user) = (Arc::downgrade(core), Arc::downgrade(watcher), watcher.user.clone());
    watcher.subscription.on_stop(move || {
        if let Some(core) = core.upgrade() {
            core.watchers.remove(&user, &weak);
        }
    });
}

impl Watchers {
    fn add(&self, watcher: &Arc<Watcher>) {
        self.by_user.lock().entry(watcher.user.clone()).or_default().push(Arc::clone(watcher));
    }

    fn remove(&self, user: &UserId, watcher: &Weak<Watcher>) {
        let mut by_user = self.by_user.lock();
        let Some(watchers) = by_user.get_mut(user) else { return };
        // What leaves is dropped after the lock: dropping a subscription takes locks of its own.
        let (gone, left) = std::mem::take(watchers).into_iter().partition(|own| Arc::as_ptr(own) == watcher.as_ptr());
        *watchers = left;
        if watchers.is_empty() {
            by_user.remove(user);
        }
        drop(by_user);
        drop::<Vec<_>>(gone);
    }

    pub(super) async fn user_changed(&self, core: &AccountsCore, user: &UserId) {
        let watchers = self.by_user.lock().get(user).cloned().unwrap_or_default();
        refresh_all(core, watchers).await;
    }

    /// Something changed that every user's document may show.
    pub(super) async fn everybody_changed(&self, core: &AccountsCore) {
        let watchers = self.by_user.lock().values().flatten().cloned().collect();
        refresh_all(core, watchers).await;
    }
}

async fn refresh_all(core: &AccountsCore, watchers: Vec<Arc<Watcher>>) {
    for watcher in watchers {
        if let Err(error) = watcher.refresh(core).await {
            tracing::error!(%error, "a user's document cannot be sent");
        }
    }
}

impl Watcher {
    /// Reads the user, and sends what is other than what was sent before.
    async fn refresh(&self, core: &AccountsCore) -> MethodResult<()> {
        let mut shown = self.shown.lock().await;
        let now = core.store.user(&self.user).await?.map(|user| core.own_fields(&user));
        // Sending waits for a slow client, after it has sent: whoever changed the user does not.
        match (&*shown, &now) {
            (None, Some(fields)) => {
                self.subscription.added(COLLECTION, self.user.as_str(), fields).now_or_never().transpose()?;
            }
            (Some(before), Some(now)) => {
                let sending = send_difference(&self.subscription, COLLECTION, self.user.as_str(), before, now);
                sending.now_or_never().transpose()?;
            }
            (Some(_), None) => {
                self.subscription.removed(COLLECTION, self.user.as_str()).now_or_never().transpose()?;
            }
            (None, None) => {}
        }
        *shown = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::App;
    use crate::accounts::Accounts;
    use crate::chance::SystemChance;
    use crate::keys::KeyRing;
    use crate::store::SqliteStore;
    use crate::testing::TestClient;

    #[tokio::test]
    async fn who_logs_out_is_watched_no_more() {
        let store = SqliteStore::open("sqlite::memory:").await.unwrap();
        let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.unwrap();
        let app = App::builder().accounts(accounts).build().unwrap();
        let accounts = app.accounts().unwrap();
        accounts.add_user("ada", &[], &[], None).await.unwrap();
        let token = accounts.issue_token("ada").await.unwrap();
        let mut client = TestClient::connect(&app).await;
        client.login_with_token(&token).await.unwrap();
        assert_eq!(accounts.core().watchers.by_user.lock().len(), 1);

        client.call::<()>("logout", &()).await.unwrap();

        assert!(accounts.core().watchers.by_user.lock().is_empty());
    }
}
