//! [`Chat`]: what the methods and publications of the chat share, and their registration.

use bolide::AppBuilder;
use bolide::collection::Index;
use bolide::prelude::*;

use crate::messages::{self, Message};
use crate::rooms::{self, Room};

/// The documents of the chat, and who is typing.
pub(crate) struct Chat {
    pub(crate) rooms: Collection<Room>,
    pub(crate) messages: Collection<Message>,
    /// An event's name is the id of a room, and its argument the name of the user who is typing there.
    pub(crate) typing: Stream,
}

/// Registers the collections, methods and publications.
pub(crate) fn register(app: AppBuilder) -> AppBuilder {
    let chat = Chat {
        rooms: Collection::stored("rooms").index(Index::on("name").unique()).index("latest"),
        messages: Collection::stored("messages").index(["rid", "ts"]),
        typing: Stream::new("typing").allow_read(|user, _room| user.is_some()).volatile(),
    };
    app.collection(&chat.rooms)
        .collection(&chat.messages)
        .stream(&chat.typing)
        .publish("rooms", rooms::latest)
        .publish("messages", messages::newest)
        .method("createRoom", TwoFactor::none(), rooms::create)
        .method("removeRoom", TwoFactor::required().require_second_factor(), rooms::remove)
        .method("sendMessage", TwoFactor::none(), messages::send)
        .method("typing", TwoFactor::none(), messages::typing)
        .state(chat)
}

/// Fails unless a user is signed in.
pub(crate) fn for_users(subscription: &Subscription) -> MethodResult<()> {
    match subscription.user_id() {
        Some(_) => Ok(()),
        None => Err(MethodError::new("not-signed-in", "Sign in first")),
    }
}

/// Returns a text without outer spaces. Fails if it is empty, or longer than `most` characters.
pub(crate) fn text(typed: &str, most: usize) -> MethodResult<String> {
    let text = typed.trim();
    if text.is_empty() || text.chars().count() > most {
        return Err(MethodError::new("invalid-text", format!("Enter 1 to {most} characters")));
    }
    Ok(text.to_owned())
}
