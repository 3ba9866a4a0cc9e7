//! The rooms: those that were used last are published; who has made a room can remove it, with a second factor.

use bolide::collection::{Batch, CollectionError};
use bolide::prelude::*;
use bolide::protocol::ejson::Date;
use serde::{Deserialize, Serialize};

use crate::chat::{Chat, for_users, text};

#[derive(Serialize, Deserialize)]
pub(crate) struct Room {
    name: String,
    /// Who has made it.
    owner: UserId,
    /// The time of its last message.
    latest: Date,
}

/// Publishes the rooms that were used last.
pub(crate) async fn latest(subscription: Subscription) -> MethodResult<()> {
    for_users(&subscription)?;
    let rooms = &subscription.state::<Chat>()?.rooms;
    subscription.publish(rooms.find(Filter::everything()).sort("latest", Direction::Descending).limit(100)).await
}

/// Makes a room, and returns its id.
pub(crate) async fn create(me: SignedIn, name: String) -> MethodResult<String> {
    let id = me.context().document_id("rooms");
    let room = Room { name: text(&name, 40)?, owner: me.user().clone(), latest: me.context().app().now() };
    match me.state::<Chat>()?.rooms.insert(&*id, &room).await {
        Err(CollectionError::NotUnique { .. }) => Err(MethodError::new("name-taken", "A room with this name exists")),
        made => Ok(made.map(|()| id)?),
    }
}

/// Removes a room with its messages. The gate has asked for a second factor before this runs.
pub(crate) async fn remove(me: SignedIn, id: String) -> MethodResult<()> {
    let Chat { rooms, messages, .. } = me.state()?;
    let is_own = Filter::eq("owner", me.user().as_str());
    match Batch::new().remove_if(rooms, &*id, is_own).commit().await {
        Err(CollectionError::Unmatched { .. }) => {
            return Err(MethodError::new("not-allowed", "Only who has made a room can remove it"));
        }
        removed => removed?,
    }
    messages.remove_many(Filter::eq("rid", id)).await?;
    Ok(())
}
