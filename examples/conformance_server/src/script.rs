//! Publications that run steps sent by the client.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bolide::prelude::*;
use bolide::protocol::ejson::Object;
use parking_lot::Mutex;
use serde::Deserialize;

use super::publications::document_id;

/// Steps, in order.
#[derive(Deserialize)]
pub(crate) struct Script(Vec<Vec<Ejson>>);

/// The subscriptions that run scripts, by connection and id.
#[derive(Clone, Default)]
pub(crate) struct Scripts {
    by_connection: Arc<Mutex<ByConnection>>,
}

/// Keyed by the id of the connection and the id of the subscription.
type ByConnection = HashMap<(String, String), Arc<Subscription>>;

impl Scripts {
    /// Keeps a subscription until it ends, so that a method can run more steps on it.
    pub(crate) fn keep(&self, subscription: Subscription) -> Arc<Subscription> {
        let key = (subscription.connection().id().to_owned(), subscription.id().unwrap_or_default());
        let subscription = Arc::new(subscription);
        self.by_connection.lock().insert(key.clone(), Arc::clone(&subscription));
        let (scripts, kept) = (self.clone(), Arc::downgrade(&subscription));
        subscription.on_stop(move || {
            let mut scripts = scripts.by_connection.lock();
            // When the user changes, a new subscription replaces this one under the same key.
            if scripts.get(&key).is_some_and(|other| Arc::as_ptr(other) == kept.as_ptr()) {
                let removed = scripts.remove(&key);
                drop(scripts);
                drop(removed);
            }
        });
        subscription
    }

    pub(crate) fn find(&self, context: &Context, id: &str) -> MethodResult<Arc<Subscription>> {
        let connection = context.connection().map(|connection| connection.id().to_owned()).unwrap_or_default();
        let found = self.by_connection.lock().get(&(connection, id.to_owned())).cloned();
        found.ok_or_else(|| MethodError::new("no-such-subscription", "No script runs under this id"))
    }
}

impl Script {
    /// Runs the steps. The first error ends the subscription.
    pub(crate) async fn run(self, subscription: &Subscription) -> MethodResult<()> {
        for step in self.0 {
            run_step(subscription, step).await?;
        }
        Ok(())
    }

    /// Runs the steps on an existing subscription. An error ends the subscription, not the method call.
    pub(crate) async fn run_for_method(self, subscription: &Subscription) {
        if let Err(error) = self.run(subscription).await {
            subscription.fail(error);
        }
    }
}

async fn run_step(subscription: &Subscription, step: Vec<Ejson>) -> MethodResult<()> {
    let mut words = step.into_iter();
    let name: String = next(&mut words)?;
    match name.as_str() {
        "added" => {
            let (collection, id, fields): (String, Ejson, Object) =
                (next(&mut words)?, next(&mut words)?, next(&mut words)?);
            subscription.added(&collection, document_id(id)?, &fields).await
        }
        "changed" => {
            let (collection, id, fields): (String, Ejson, Object) =
                (next(&mut words)?, next(&mut words)?, next(&mut words)?);
            let (unset, set): (Object, Object) = fields.into_iter().partition(|(_, value)| is_unset(value));
            let unset: Vec<&str> = unset.keys().map(String::as_str).collect();
            subscription.changed(&collection, document_id(id)?, &set, &unset).await
        }
        "removed" => {
            let (collection, id): (String, Ejson) = (next(&mut words)?, next(&mut words)?);
            subscription.removed(&collection, document_id(id)?).await
        }
        "ready" => {
            subscription.ready();
            Ok(())
        }
        "stop" => {
            subscription.stop();
            Ok(())
        }
        "error" => Err(client_error(&mut words)?),
        "throw" => Err(MethodError::internal("a secret that no client may see")),
        "sleep" => {
            tokio::time::sleep(Duration::from_millis(next(&mut words)?)).await;
            Ok(())
        }
        "unblock" => {
            subscription.unblock();
            Ok(())
        }
        unknown => Err(MethodError::new(400, format!("there is no step `{unknown}`"))),
    }
}

fn client_error(words: &mut impl Iterator<Item = Ejson>) -> MethodResult<MethodError> {
    let code: bolide::protocol::error::ErrorCode = next(words)?;
    let reason: Option<String> = next(words)?;
    Ok(match reason {
        Some(reason) => bolide::DdpError::new(code, reason).into(),
        None => bolide::DdpError::bare(code).into(),
    })
}

fn next<T: serde::de::DeserializeOwned>(words: &mut impl Iterator<Item = Ejson>) -> MethodResult<T> {
    let word = words.next().unwrap_or_default();
    word.into_typed().map_err(|_| MethodError::new(400, "Match failed"))
}

/// `{"$unset": true}`
fn is_unset(value: &Ejson) -> bool {
    matches!(value, Ejson::Object(object) if object.len() == 1 && object.contains_key("$unset"))
}
