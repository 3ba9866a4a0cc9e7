//! The publications of the conformance server, and the methods that change their documents.

use std::time::Duration;

use bolide::prelude::*;
use bolide::protocol::DocumentId;
use bolide::protocol::ejson::{Date, Object};
use bolide::publication::Strategy;
use bolide::{AppBuilder, Filter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::script::{Script, Scripts};

/// Registers them. `items` is the collection of that name, in memory or stored.
pub(crate) fn register(app: AppBuilder, items: &Collection) -> AppBuilder {
    let feed = Audience::default();
    let scripts = Scripts::default();
    let messages = Stream::new("room-messages").allow_read(|_, _| true);
    let app = app
        .collection(items)
        .stream(&messages)
        .strategy("noMerge", Strategy::NoMerge)
        .strategy("noMergeMulti", Strategy::NoMergeMulti)
        .strategy("noMergeNoHistory", Strategy::NoMergeNoHistory)
        .publish("tick", tick)
        .publish("ownDocuments", own_documents)
        .publish("needsLogin", needs_login)
        .publish("slow", slow)
        .publish("slowUnblocked", slow_unblocked);
    let app = register_items(app, items);
    let app = register_feed(app, &feed);
    let app = register_scripts(app, &scripts);
    app.method("sendMessage", TwoFactor::none(), async move |me: SignedIn, message: NewMessage| {
        send_message(&me, message, &messages)
    })
}

fn register_items(app: AppBuilder, items: &Collection) -> AppBuilder {
    let all = items.clone();
    let (some, newest) = (items.clone(), items.clone());
    let (inserted, updated, removed, incremented) = (items.clone(), items.clone(), items.clone(), items.clone());
    app.publish("items", async move |subscription: Subscription| {
        subscription.publish(all.find(Filter::everything())).await
    })
    .publish("itemsWhere", async move |subscription: Subscription, selector: Object| {
        let filter = Filter::from_selector(&selector).map_err(|error| MethodError::new(400, error.to_string()))?;
        subscription.publish(some.find(filter)).await
    })
    .publish("newestItems", async move |subscription: Subscription, group: Ejson, count: usize| {
        let group = newest.find(Filter::eq("group", group));
        subscription.publish(group.sort("rank", Direction::Descending).limit(count)).await
    })
    .method("incrementItem", TwoFactor::none(), async move |_: Context, id: Ejson, field: String, by: i32| {
        let update = Update::new().increment(&field, by);
        incremented.update(document_id(id)?, update).await.map_err(|error| MethodError::new(409, error.to_string()))?;
        Ok(())
    })
    .method("insertItem", TwoFactor::none(), async move |context: Context, document: Object| {
        insert_item(&context, &inserted, document).await
    })
    .method("updateItem", TwoFactor::none(), async move |_: Context, id: Ejson, change: ItemChange| {
        let set = change.set.into_iter().fold(Update::new(), |update, (field, value)| update.set(&field, value));
        let update = change.unset.iter().fold(set, |update, field| update.unset(field));
        updated.update(document_id(id)?, update).await?;
        Ok(())
    })
    .method("removeItem", TwoFactor::none(), async move |_: Context, id: Ejson| {
        removed.remove(document_id(id)?).await?;
        Ok(())
    })
}

fn register_feed(app: AppBuilder, feed: &Audience) -> AppBuilder {
    let (joined, told) = (feed.clone(), feed.clone());
    app.publish("feed", async move |subscription: Subscription| {
        subscription.added("feed", "x", &json!({ "p": null })).await?;
        joined.join(&subscription);
        Ok(())
    })
    .method("broadcast", TwoFactor::none(), async move |_: Context, payload: Ejson| {
        told.changed("feed", "x", &Object::from_iter([("p".to_owned(), payload)]), &[])
    })
}

fn register_scripts(app: AppBuilder, scripts: &Scripts) -> AppBuilder {
    let (started, continued) = (scripts.clone(), scripts.clone());
    app.publish("script", async move |subscription: Subscription, steps: Script| {
        let subscription = started.keep(subscription);
        steps.run(&subscription).await
    })
    .method("run", TwoFactor::none(), async move |context: Context, id: String, steps: Script| {
        let subscription = continued.find(&context, &id)?;
        steps.run_for_method(&subscription).await;
        Ok(())
    })
}

/// The update that `updateItem` takes.
#[derive(Deserialize)]
struct ItemChange {
    #[serde(default)]
    set: Object,
    #[serde(default)]
    unset: Vec<String>,
}

async fn insert_item(context: &Context, items: &Collection, mut document: Object) -> MethodResult<Ejson> {
    let id = match document.shift_remove("_id") {
        Some(id) => id,
        None => Ejson::from(context.document_id("items")),
    };
    items
        .insert(document_id(id.clone())?, &document)
        .await
        .map_err(|error| MethodError::new(409, error.to_string()))?;
    Ok(id)
}

/// Converts an EJSON document id: a string, a number or an `oid`.
pub(crate) fn document_id(id: Ejson) -> MethodResult<DocumentId> {
    Ok(match id {
        Ejson::String(text) => DocumentId::String(text),
        Ejson::Number(number) => DocumentId::Number(number),
        Ejson::ObjectId(id) => DocumentId::ObjectId(id),
        Ejson::Bool(value) => DocumentId::Bool(value),
        _ => return Err(MethodError::new(400, "Match failed")),
    })
}

#[derive(Serialize)]
struct Tick {
    i: u32,
    name: String,
    price: f64,
    done: bool,
    at: Date,
    tags: [&'static str; 2],
}

async fn tick(subscription: Subscription, count: u32) -> MethodResult<()> {
    for i in 0..count {
        let tick = Tick {
            i,
            name: format!("item number {i}"),
            price: f64::from(i) + 0.5,
            done: i % 2 == 1,
            at: Date::from_milliseconds(1_700_000_000_000 + i64::from(i)),
            tags: ["a", "b"],
        };
        subscription.added("ticks", format!("doc{i}"), &tick).await?;
    }
    Ok(())
}

async fn own_documents(subscription: Subscription) -> MethodResult<()> {
    let owner = json!({ "owner": subscription.user_id() });
    if let Some(user) = subscription.user_id() {
        subscription.added("own", format!("{user}-1"), &owner).await?;
    }
    subscription.added("own", "shared", &owner).await
}

async fn needs_login(subscription: Subscription) -> MethodResult<()> {
    match subscription.user_id() {
        Some(_) => Ok(()),
        None => Err(bolide::DdpError::bare("not-authorized").into()),
    }
}

async fn slow(_: Subscription, ms: u64) -> MethodResult<()> {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    Ok(())
}

async fn slow_unblocked(subscription: Subscription, ms: u64) -> MethodResult<()> {
    subscription.unblock();
    slow(subscription, ms).await
}

#[derive(Deserialize)]
struct NewMessage {
    rid: String,
    msg: String,
}

fn send_message(me: &SignedIn, message: NewMessage, messages: &Stream) -> MethodResult<Message> {
    let NewMessage { rid, msg } = message;
    let user = me.user().as_str();
    let sent = Message {
        id: me.context().random_id("messages"),
        rid: rid.clone(),
        msg,
        u: json!({ "_id": user, "username": user.strip_prefix("user-").unwrap_or(user) }),
        ts: me.context().app().now(),
    };
    messages.emit(&rid, &[&sent])?;
    Ok(sent)
}

#[derive(Serialize)]
struct Message {
    #[serde(rename = "_id")]
    id: String,
    rid: String,
    msg: String,
    u: Value,
    ts: Date,
}
