//! The user's own document, which every session has in its collection `users`, and which changes as the user does.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::AccountsCore;
use crate::app::AppBuilder;
use crate::publication::{Document, Shown, Subscription};
use crate::store::User;
use crate::user::UserId;

const COLLECTION: &str = "users";

/// The sessions that are shown a user's document.
#[derive(Default)]
pub(crate) struct Watchers {
    by_user: Mutex<HashMap<UserId, Vec<Arc<Watcher>>>>,
}

struct Watcher {
    subscription: Subscription,
    /// Held while a change is sent, so that changes stay in order.
    shown: tokio::sync::Mutex<Shown>,
}

pub(super) fn register(core: &Arc<AccountsCore>, builder: AppBuilder) -> AppBuilder {
    let core: Weak<AccountsCore> = Arc::downgrade(core);
    builder.publish_universal(async move |subscription: Subscription| {
        let (Some(core), Some(user)) = (core.upgrade(), subscription.user_id().cloned()) else { return Ok(()) };
        let Some(found) = core.store.user(&user).await? else { return Ok(()) };
        let mut shown = Shown::default();
        shown.show(&subscription, vec![core.own_user_document(&found)]).await?;
        subscription.ready();
        let watcher = Arc::new(Watcher { subscription, shown: tokio::sync::Mutex::new(shown) });
        core.watchers.add(&user, &watcher);
        // It may have changed since it was read.
        if let Some(now) = core.store.user(&user).await? {
            watcher.show(core.own_user_document(&now)).await;
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
            watcher.show(core.own_user_document(&found)).await;
        }
    }
}

impl Watcher {
    async fn show(&self, document: Document) {
        let mut shown = self.shown.lock().await;
        if let Err(error) = shown.show(&self.subscription, vec![document]).await {
            tracing::error!(%error, "a user's document cannot be sent");
        }
    }
}

impl AccountsCore {
    fn own_user_document(&self, user: &User) -> Document {
        Document::of_object(COLLECTION, user.id.as_str(), self.own_fields(user))
    }
}
