//! The messages of a room: the newest are published, and users are told who is typing.

use bolide::collection::{Batch, CollectionError};
use bolide::prelude::*;
use bolide::protocol::ejson::Date;
use serde::{Deserialize, Serialize};

use crate::chat::{Chat, for_users, text};

/// The maximum number of messages of a room that a client can see.
const MOST: usize = 1_000;

#[derive(Serialize, Deserialize)]
pub(crate) struct Message {
    /// The id of the room.
    rid: String,
    /// The name of the user.
    from: String,
    text: String,
    ts: Date,
}

/// Publishes the newest messages of a room. A client that wants older ones subscribes with a greater `count`.
pub(crate) async fn newest(subscription: Subscription, rid: String, count: usize) -> MethodResult<()> {
    for_users(&subscription)?;
    let messages = &subscription.state::<Chat>()?.messages;
    let newest = messages.find(Filter::eq("rid", rid)).sort("ts", Direction::Descending).limit(count.min(MOST));
    subscription.publish(newest).await
}

/// Sends a message to a room.
pub(crate) async fn send(me: SignedIn, rid: String, typed: String) -> MethodResult<()> {
    let Chat { rooms, messages, .. } = me.state()?;
    let (id, ts) = (me.context().document_id("messages"), me.context().app().now());
    let message = Message { rid, from: username(&me).await?, text: text(&typed, 2_000)?, ts };
    // Together or not at all: a room that has been removed gets no message.
    let sent = Batch::new()
        .update(rooms, &*message.rid, Update::new().set("latest", ts))
        .insert(messages, id, &message)
        .commit();
    match sent.await {
        Err(CollectionError::Unmatched { .. }) => Err(MethodError::new("no-room", "The room does not exist")),
        sent => Ok(sent?),
    }
}

/// Tells the other users in a room that this one is typing.
pub(crate) async fn typing(me: SignedIn, rid: String) -> MethodResult<()> {
    let name = username(&me).await?;
    me.state::<Chat>()?.typing.emit(&rid, &[name])
}

async fn username(me: &SignedIn) -> MethodResult<String> {
    let accounts = me.context().app().accounts().ok_or_else(|| MethodError::internal("the app has no accounts"))?;
    let user = accounts.store().user(me.user()).await?;
    Ok(user.and_then(|user| user.username).unwrap_or_default())
}
