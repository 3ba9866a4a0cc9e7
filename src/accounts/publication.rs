//! The user's own document, which every session has in its collection `users`, and which changes as the user does.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bolide_protocol::ejson::Object;
use parking_lot::Mutex;

use super::AccountsCore;
use super::user_document::own_fields;
use crate::app::AppBuilder;
use crate::publication::Subscription;
use crate::user::UserId;

const COLLECTION: &str = "users";

/// The sessions that are shown a user's document.
#[derive(Default)]
pub(crate) struct Watchers {
    by_user: Mutex<HashMap<UserId, Vec<Arc<Watcher>>>>,
}

struct Watcher {
    subscription: Subscription,
    /// What the session was sent. Held while a change is sent, so that changes stay in order.
    shown: tokio::sync::Mutex<Object>,
}

pub(super) fn register(core: &Arc<AccountsCore>, builder: AppBuilder) -> AppBuilder {
    let core: Weak<AccountsCore> = Arc::downgrade(core);
    builder.publish_universal(async move |subscription: Subscription| {
        let (Some(core), Some(user)) = (core.upgrade(), subscription.user_id().cloned()) else { return Ok(()) };
        let Some(found) = core.store.user(&user).await? else { return Ok(()) };
        let fields = own_fields(&found);
        subscription.added(COLLECTION, user.as_str(), &fields).await?;
        subscription.ready();
        let watcher = Arc::new(Watcher { subscription, shown: tokio::sync::Mutex::new(fields) });
        core.watchers.add(&user, &watcher);
        // It may have changed since it was read.
        if let Some(now) = core.store.user(&user).await? {
            watcher.show(&user, own_fields(&now)).await;
        }
        Ok(())
    })
}

impl Watchers {
    fn add(&self, user: &UserId, watcher: &Arc<Watcher>) {
        let mut by_user = self.by_user.lock();
        let watchers = by_user.entry(user.clone()).or_default();
        watchers.retain(|watcher| watcher.subscription.is_active());
        watchers.push(Arc::clone(watcher));
    }

    pub(super) async fn user_changed(&self, core: &AccountsCore, user: &UserId) {
        let watchers = {
            let mut by_user = self.by_user.lock();
            let Some(watchers) = by_user.get_mut(user) else { return };
            watchers.retain(|watcher| watcher.subscription.is_active());
            let active = watchers.clone();
            if active.is_empty() {
                by_user.remove(user);
            }
            active
        };
        for watcher in watchers {
            let Ok(Some(found)) = core.store.user(user).await else { continue };
            watcher.show(user, own_fields(&found)).await;
        }
    }
}

impl Watcher {
    async fn show(&self, user: &UserId, fields: Object) {
        let mut shown = self.shown.lock().await;
        let set: Object = fields
            .iter()
            .filter(|(name, value)| shown.get(*name) != Some(*value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let unset: Vec<&str> = shown.keys().map(String::as_str).filter(|name| !fields.contains_key(*name)).collect();
        if set.is_empty() && unset.is_empty() {
            return;
        }
        if let Err(error) = self.subscription.changed(COLLECTION, user.as_str(), &set, &unset).await {
            tracing::error!(%error, "a user's document cannot be sent");
        }
        *shown = fields;
    }
}
