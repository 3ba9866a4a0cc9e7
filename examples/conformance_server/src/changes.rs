//! The methods of the conformance server that change its methods and publications while it runs.

use std::collections::HashMap;
use std::sync::Arc;

use bolide::AppBuilder;
use bolide::prelude::*;
use bolide::publication::UniversalId;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The universal publications that were added, by the collections to which they send.
type Universal = Arc<Mutex<HashMap<String, UniversalId>>>;

pub(crate) fn register(app: AppBuilder) -> AppBuilder {
    let added = Universal::default();
    let removed = Arc::clone(&added);
    app.method("addMethod", TwoFactor::none(), add_method)
        .method("removeMethod", TwoFactor::none(), async |context: Context, name: String| {
            Ok(context.app().remove_method(&name))
        })
        .method("addPublication", TwoFactor::none(), add_publication)
        .method("removePublication", TwoFactor::none(), async |context: Context, name: String| {
            Ok(context.app().remove_publication(&name))
        })
        .method("addUniversal", TwoFactor::none(), async move |context: Context, collection: String| {
            add_universal(&context, &added, collection);
            Ok(())
        })
        .method("removeUniversal", TwoFactor::none(), async move |context: Context, collection: String| {
            let id = removed.lock().remove(&collection);
            Ok(id.is_some_and(|id| context.app().remove_universal_publication(id)))
        })
        .publish("ofMethod", of_method)
}

async fn add_method(context: Context, name: String) -> MethodResult<()> {
    let result = name.clone();
    let method = async move |_: Context| Ok(result);
    context.app().add_method(&name, TwoFactor::none(), method)?;
    Ok(())
}

async fn add_publication(context: Context, name: String) -> MethodResult<()> {
    let collection = name.clone();
    let publication = async move |subscription: Subscription| send_user(&subscription, &collection).await;
    context.app().add_publication(&name, publication)?;
    Ok(())
}

fn add_universal(context: &Context, universal: &Universal, collection: String) {
    let name = collection.clone();
    let publication = async move |subscription: Subscription| send_user(&subscription, &name).await;
    let id = context.app().add_universal_publication(publication);
    universal.lock().insert(collection, id);
}

/// Sends a document with the user.
async fn send_user(subscription: &Subscription, collection: &str) -> MethodResult<()> {
    subscription.added(collection, "x", &json!({ "user": subscription.user_id() })).await
}

/// Sends the result of a method that the publication calls.
async fn of_method(subscription: Subscription, method: String, parameters: Vec<Value>) -> MethodResult<()> {
    let result: Value = subscription.call(&method, &parameters).await?;
    subscription.added("results", "x", &json!({ "result": result })).await
}
