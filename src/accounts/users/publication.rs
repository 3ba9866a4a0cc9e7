//! The user's own document, in the collection `users` of every session of the user. It changes as the user does.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bolide_protocol::ejson::Object;
use futures::FutureExt as _;
use parking_lot::Mutex;

use super::Users;
use crate::call::MethodResult;
use crate::publication::{Subscription, send_difference};
use crate::registry::Registry;
use crate::user::UserId;

const COLLECTION: &str = "users";

/// The sessions that show a user's document.
#[derive(Default)]
pub(super) struct Watchers {
    by_user: Mutex<HashMap<UserId, Vec<Arc<Watcher>>>>,
}

struct Watcher {
    user: UserId,
    subscription: Subscription,
    /// What the session was sent. Locked while the user is read and sent, so that the latest is sent last.
    shown: tokio::sync::Mutex<Option<Object>>,
}

pub(super) fn register(users: &Arc<Users>, registry: &mut Registry) {
    let users: Weak<Users> = Arc::downgrade(users);
    registry.publish_universal(async move |subscription: Subscription| {
        let (Some(users), Some(user)) = (users.upgrade(), subscription.user_id().cloned()) else { return Ok(()) };
        let watcher = Arc::new(Watcher { user, subscription, shown: tokio::sync::Mutex::default() });
        // Before the first read, so that no change is missed.
        watch(&users, &watcher);
        watcher.refresh(&users).await?;
        watcher.subscription.ready();
        Ok(())
    });
}

/// Tells the watcher of changes until its subscription ends.
fn watch(users: &Arc<Users>, watcher: &Arc<Watcher>) {
    users.watchers.add(watcher);
    let (users, weak, user) = (Arc::downgrade(users), Arc::downgrade(watcher), watcher.user.clone());
    watcher.subscription.on_stop(move || {
        if let Some(users) = users.upgrade() {
            users.watchers.remove(&user, &weak);
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
        // They are dropped after the lock is released: dropping a subscription takes locks of its own.
        let (gone, left) = std::mem::take(watchers).into_iter().partition(|own| Arc::as_ptr(own) == watcher.as_ptr());
        *watchers = left;
        if watchers.is_empty() {
            by_user.remove(user);
        }
        drop(by_user);
        drop::<Vec<_>>(gone);
    }

    pub(super) async fn user_changed(&self, users: &Users, user: &UserId) {
        let watchers = self.by_user.lock().get(user).cloned().unwrap_or_default();
        refresh_all(users, watchers).await;
    }

    /// Refreshes all documents, after a change that any of them may show.
    pub(super) async fn all_changed(&self, users: &Users) {
        let watchers = self.by_user.lock().values().flatten().cloned().collect();
        refresh_all(users, watchers).await;
    }
}

async fn refresh_all(users: &Users, watchers: Vec<Arc<Watcher>>) {
    for watcher in watchers {
        if let Err(error) = watcher.refresh(users).await {
            tracing::error!(%error, "a user's document cannot be sent");
        }
    }
}

impl Watcher {
    /// Reads the user, and sends what differs from what was sent before.
    async fn refresh(&self, users: &Users) -> MethodResult<()> {
        let mut shown = self.shown.lock().await;
        let now = users.store.user(&self.user).await?.map(|user| users.own_fields(&user));
        // Sending waits for a slow client after it has sent; the change of the user does not wait with it.
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
    async fn a_logout_ends_the_watch_of_the_user() {
        let store = SqliteStore::open("sqlite::memory:").await.unwrap();
        let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.unwrap();
        let app = App::builder().accounts(accounts).build().unwrap();
        let accounts = app.accounts().unwrap();
        accounts.add_user("ada", &[], &[], None).await.unwrap();
        let token = accounts.issue_token("ada").await.unwrap();
        let mut client = TestClient::connect(&app).await;
        client.login_with_token(&token).await.unwrap();
        assert_eq!(accounts.core().users.watchers.by_user.lock().len(), 1);

        client.call::<()>("logout", &()).await.unwrap();

        assert!(accounts.core().users.watchers.by_user.lock().is_empty());
    }
}
