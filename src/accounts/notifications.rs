//! `stream-notify-user`: Rocket.Chat's clients listen there to `<user id>/userData`, each for its own user, and are told
//! when that user changes.

use std::sync::{Arc, OnceLock};

use bolide_protocol::ejson::Object;
use bolide_protocol::{Ejson, ejson};
use serde::Serialize;

use super::AccountsCore;
use crate::publication::Stream;
use crate::registry::Registry;
use crate::store::{Totp, User};
use crate::user::UserId;

const STREAM: &str = "notify-user";

/// The stream, once the app is put together.
#[derive(Default)]
pub(super) struct Notifications {
    stream: OnceLock<Stream>,
}

/// What is told of a user.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum UserData<'user> {
    /// All that the user sees of itself; `unset` are fields that are not there.
    Updated {
        diff: Object,
        unset: Object,
    },
    Removed {
        id: &'user UserId,
    },
}

/// Fields that come and go.
const OPTIONAL: [&str; 4] = ["username", "profile", "name", "requirePasswordChange"];

/// Registers the stream, or takes the one of this name that the application has registered itself.
pub(super) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    let own = Stream::new(STREAM).allow_read(|user, event| user.is_some_and(|user| is_of(user, event)));
    let stream = registry.stream_unless_there(own);
    // The first app keeps it.
    let _other = core.notifications.stream.set(stream);
}

/// Whether an event is this user's: its id, a slash, a name.
fn is_of(user: &UserId, event: &str) -> bool {
    event.strip_prefix(user.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

impl AccountsCore {
    /// Tells the user's clients on this node that it has changed; the other nodes do so themselves.
    pub(super) async fn notify_user(&self, id: &UserId) {
        let Some(stream) = self.notifications.stream.get() else { return };
        let event = format!("{id}/userData");
        if stream.listener_count(&event) == 0 {
            return;
        }
        let user = match self.store.user(id).await {
            Ok(user) => user,
            Err(error) => return tracing::error!(%error, "a change of a user cannot be told"),
        };
        let told = match &user {
            Some(user) => self.updated(user),
            None => UserData::Removed { id },
        };
        match ejson::to_raw(&[told]) {
            Ok(args) => stream.core().deliver(&event, &args),
            Err(error) => tracing::error!(%error, "a change of a user cannot be told"),
        }
    }

    fn updated(&self, user: &User) -> UserData<'static> {
        let mut diff = self.own_fields(user);
        // Where Rocket.Chat's clients look for them.
        diff.insert("services.totp.enabled".into(), Ejson::Bool(matches!(user.totp, Totp::On(_))));
        diff.insert("services.email2fa.enabled".into(), Ejson::Bool(user.has_email_codes));
        let gone = OPTIONAL.into_iter().filter(|name| !diff.contains_key(*name));
        let unset = gone.map(|name| (name.to_owned(), Ejson::from(1))).collect();
        UserData::Updated { diff, unset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_of_the_user_whose_id_it_begins_with() {
        let ada = UserId::from("ada");
        assert!(is_of(&ada, "ada/userData"));
        for other in ["bob/userData", "ada", "adams/userData", "/userData", "", "ada2/ada/x"] {
            assert!(!is_of(&ada, other), "{other}");
        }
    }
}
