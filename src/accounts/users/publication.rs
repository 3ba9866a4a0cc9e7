//! The user's own document, in the collection `users` of every session of the user. It changes as the user does. It is
//! encoded once for all sessions of the user, and they share it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bolide_protocol::ejson::Object;
use bytestring::ByteString;
use parking_lot::Mutex;

use super::Users;
use crate::call::MethodResult;
use crate::publication::{Fields, SharedChange, Subscription, encode_added};
use crate::registry::Registry;
use crate::user::UserId;

const COLLECTION: &str = "users";

/// The sessions that show a user's document.
#[derive(Default)]
pub(super) struct Watchers {
    by_user: Mutex<HashMap<UserId, OfUser>>,
}

/// The sessions of one user.
#[derive(Default)]
struct OfUser {
    watchers: Vec<Arc<Watcher>>,
    /// The document as it was encoded last. A session that shows it keeps it.
    latest: Weak<OwnDocument>,
}

/// A version of a user's document.
struct OwnDocument {
    object: Object,
    fields: Arc<Fields>,
    added: ByteString,
    /// The change from the version before, for the sessions that show that one.
    change: Option<(Arc<Fields>, SharedChange)>,
}

struct Watcher {
    user: UserId,
    subscription: Subscription,
    /// What the session was sent. Locked while the user is read and sent, so that the latest is sent last.
    shown: tokio::sync::Mutex<Option<Arc<OwnDocument>>>,
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
        self.by_user.lock().entry(watcher.user.clone()).or_default().watchers.push(Arc::clone(watcher));
    }

    fn remove(&self, user: &UserId, watcher: &Weak<Watcher>) {
        let mut by_user = self.by_user.lock();
        let Some(OfUser { watchers, .. }) = by_user.get_mut(user) else { return };
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
        let watchers = self.by_user.lock().get(user).map(|own| own.watchers.clone()).unwrap_or_default();
        refresh_all(users, watchers).await;
    }

    /// Refreshes all documents, after a change that any of them may show.
    pub(super) async fn all_changed(&self, users: &Users) {
        let watchers = self.by_user.lock().values().flat_map(|own| &own.watchers).cloned().collect();
        refresh_all(users, watchers).await;
    }
}

impl Watchers {
    /// Returns the document of a user, encoded. Sessions that show the same version get the same one.
    fn encoded(&self, user: &UserId, object: Object) -> MethodResult<Arc<OwnDocument>> {
        let mut by_user = self.by_user.lock();
        // A session that has ended meanwhile is not in the list, and its document is not kept.
        let own = by_user.get_mut(user);
        let latest = own.as_ref().and_then(|own| own.latest.upgrade());
        if let Some(latest) = latest.as_ref().filter(|latest| latest.object == object) {
            return Ok(Arc::clone(latest));
        }
        let (fields, added) = encode_added(COLLECTION, user.as_str(), &object)?;
        let fields = Arc::new(fields);
        let change = latest.map(|before| {
            let change = SharedChange::to(&before.fields, &fields);
            (Arc::clone(&before.fields), change)
        });
        let document = Arc::new(OwnDocument { object, fields, added, change });
        if let Some(own) = own {
            own.latest = Arc::downgrade(&document);
        }
        Ok(document)
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
        let now = now.map(|object| users.watchers.encoded(&self.user, object)).transpose()?;
        let (core, id) = (self.subscription.core(), self.user.as_str());
        // This does not wait for a slow client: the change of the user must not wait with it.
        core.with_target(COLLECTION, |views, target| match (&*shown, &now) {
            (None, Some(now)) => views.added(target, core.handle(), &Arc::from(id), &now.fields, Some(&now.added)),
            (Some(before), Some(now)) if Arc::ptr_eq(before, now) => {}
            (Some(before), Some(now)) => {
                let own;
                let change = match &now.change {
                    Some((from, change)) if Arc::ptr_eq(from, &before.fields) => change,
                    _ => {
                        own = SharedChange::to(&before.fields, &now.fields);
                        &own
                    }
                };
                // A subscription that has ended holds no document.
                let _ended = views.changed(target, &[core.handle()], id, change);
            }
            (Some(_), None) => {
                let _ended = views.removed(target, core.handle(), id);
            }
            (None, None) => {}
        });
        *shown = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::App;
    use crate::accounts::Accounts;
    use crate::chance::SystemChance;
    use crate::keys::KeyRing;
    use crate::store::SqlStore;
    use crate::testing::TestClient;

    #[tokio::test]
    async fn a_logout_ends_the_watch_of_the_user() {
        let store = SqlStore::open("sqlite::memory:").await.unwrap();
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

    #[tokio::test]
    async fn all_sessions_of_a_user_share_one_encoded_document() {
        let store = SqlStore::open("sqlite::memory:").await.unwrap();
        let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.unwrap();
        let app = App::builder().accounts(accounts).build().unwrap();
        let accounts = app.accounts().unwrap();
        let ada = accounts.add_user("ada", &[], &[], None).await.unwrap().id;
        let token = accounts.issue_token("ada").await.unwrap();
        let mut clients = Vec::new();
        for _ in 0..12 {
            let mut client = TestClient::connect(&app).await;
            client.login_with_token(&token).await.unwrap();
            clients.push(client);
        }
        let is_shared = async || {
            let watchers = accounts.core().users.watchers.by_user.lock()[&ada].watchers.clone();
            let mut shown = Vec::new();
            for watcher in &watchers {
                shown.push(watcher.shown.lock().await.clone().unwrap());
            }
            assert_eq!(shown.len(), 12);
            shown.iter().all(|own| Arc::ptr_eq(own, &shown[0]))
        };
        assert!(is_shared().await);

        accounts.store().set_field(&ada, "name", Some("Ada".into())).await.unwrap();
        accounts.user_changed(&ada).await;

        assert!(is_shared().await);
    }
}
