//! `stream-notify-user`: Rocket.Chat's clients subscribe to `<user id>/userData` of their own user, and receive an event
//! when that user changes.

use std::sync::{Arc, OnceLock};

use bolide_protocol::ejson::Object;
use bolide_protocol::{Ejson, ejson};
use serde::Serialize;

use super::Users;
use crate::publication::Stream;
use crate::registry::Registry;
use crate::store::{Totp, User};
use crate::user::UserId;

const STREAM: &str = "notify-user";

/// The stream. Empty until the app is built.
#[derive(Default)]
pub(super) struct Notifications {
    stream: OnceLock<Stream>,
}

/// An event about a user.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum UserData<'user> {
    /// `diff` is all that the user sees of itself; `unset` are the fields that are missing.
    Updated {
        diff: Object,
        unset: Object,
    },
    Removed {
        id: &'user UserId,
    },
}

/// The fields that a user may not have.
const OPTIONAL: [&str; 5] = ["username", "emails", "profile", "name", "requirePasswordChange"];

/// Registers the stream, or takes the one of this name that the application has registered itself.
pub(super) fn register(users: &Arc<Users>, registry: &mut Registry) {
    let own = Stream::new(STREAM).allow_read(|user, event| user.is_some_and(|user| is_of(user, event)));
    let stream = registry.stream_unless_there(own);
    // The first app keeps it.
    let _other = users.notifications.stream.set(stream);
}

/// Whether an event is this user's: its id, a slash, a name.
fn is_of(user: &UserId, event: &str) -> bool {
    event.strip_prefix(user.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

impl Users {
    /// Tells the user's clients on this node that the user has changed. The other nodes tell theirs.
    pub(super) async fn notify(&self, id: &UserId) {
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
        diff.insert("services.email2fa.enabled".into(), Ejson::Bool(user.can_receive_codes()));
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
