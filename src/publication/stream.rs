//! [`Stream`]: events by name, like Rocket.Chat's `stream-…` publications. An event is sent once to each session that
//! listens, and is not stored.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bolide_protocol::{Ejson, RawJson, ejson};
use bytestring::ByteString;
use indexmap::IndexMap;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;

use super::fields::{Difference, Fields};
use super::frames::{added_frame, changed_frame};
use super::{Handles, Recipient, Subscription};
use crate::call::{MethodError, MethodResult, Parameters};
use crate::outbox;
use crate::user::UserId;

/// Decides whether a user, or an anonymous client, may listen to an event.
pub type StreamRule = Box<dyn Fn(Option<&UserId>, &str) -> bool + Send + Sync>;

/// Events to which clients listen by name. A client subscribes to `stream-<name>` with the name of an event. An event
/// is a `changed` message of the document `id` with the fields `eventName` and `args`.
///
/// By default no client may listen; see [`allow_read`](Self::allow_read). Clones share the listeners.
///
/// ```
/// use bolide::prelude::*;
///
/// let messages = Stream::new("room-messages").allow_read(|user, _room| user.is_some());
/// let app = App::builder().stream(&messages).build()?;
/// messages.emit("GENERAL", &("hello",)).unwrap();
/// # Ok::<(), bolide::Error>(())
/// ```
#[derive(Clone)]
pub struct Stream {
    core: Arc<StreamCore>,
}

/// Sends an event to other nodes: its name and its arguments.
pub(crate) type StreamRelay = Box<dyn Fn(&str, RawJson) + Send + Sync>;

pub(crate) struct StreamCore {
    name: String,
    /// The name of the publication and of the collection.
    collection: Arc<str>,
    may_read: StreamRule,
    is_volatile: bool,
    listeners: Mutex<HashMap<Box<str>, IndexMap<usize, Listener>>>,
    relay: OnceLock<StreamRelay>,
}

/// A session and its subscriptions to one event.
struct Listener {
    recipient: Arc<Recipient>,
    handles: Handles,
}

impl Stream {
    /// Creates a stream. Its publication is `stream-<name>`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let core = StreamCore {
            name: name.to_owned(),
            collection: format!("stream-{name}").into(),
            may_read: Box::new(|_, _| false),
            is_volatile: false,
            listeners: Mutex::default(),
            relay: OnceLock::new(),
        };
        Self { core: Arc::new(core) }
    }

    /// Sets the rule that decides who may listen to which event. By default no client may.
    ///
    /// # Panics
    /// Panics if the stream has been cloned: call this where the stream is created.
    #[must_use]
    pub fn allow_read(mut self, rule: impl Fn(Option<&UserId>, &str) -> bool + Send + Sync + 'static) -> Self {
        self.core_mut().may_read = Box::new(rule);
        self
    }

    /// Lets slow clients miss events: only the latest event of each name waits for a client. For short-lived
    /// information, such as who is typing.
    ///
    /// # Panics
    /// Panics if the stream has been cloned: call this where the stream is created.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.core_mut().is_volatile = true;
        self
    }

    /// Returns the name of the stream.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// Sends an event to all listeners, on every node. `args` is a tuple or a list.
    ///
    /// # Errors
    /// Returns an internal error if `args` is neither a tuple nor a list.
    pub fn emit(&self, event: &str, args: &(impl Serialize + ?Sized)) -> MethodResult<()> {
        let args = ejson::to_raw(args)?;
        if !args.get().starts_with('[') {
            return Err(MethodError::internal("the arguments of an event must be a tuple or a list"));
        }
        self.core.deliver(event, &args);
        if let Some(relay) = self.core.relay.get() {
            relay(event, args);
        }
        Ok(())
    }

    /// Returns the number of sessions of this process that listen to events of this name, including those whose client is
    /// away: it has lost its connection, and receives the events if it resumes its session within
    /// [`Limits::resume_grace`](crate::Limits::resume_grace).
    #[must_use]
    pub fn listener_count(&self, event: &str) -> usize {
        self.core.listeners.lock().get(event).map_or(0, IndexMap::len)
    }

    /// Returns the number of these sessions whose client is connected.
    #[must_use]
    pub fn connected_listener_count(&self, event: &str) -> usize {
        let listeners = self.core.listeners.lock();
        let sessions = listeners.get(event).into_iter().flat_map(IndexMap::values);
        sessions.filter(|listener| listener.recipient.is_connected()).count()
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn of(core: Arc<StreamCore>) -> Self {
        Self { core }
    }

    pub(crate) fn core(&self) -> &Arc<StreamCore> {
        &self.core
    }

    fn core_mut(&mut self) -> &mut StreamCore {
        Arc::get_mut(&mut self.core).expect("the stream has not been cloned")
    }
}

impl StreamCore {
    pub(crate) fn collection(&self) -> &str {
        &self.collection
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Sets the function that sends events to other nodes.
    pub(crate) fn attach(&self, relay: StreamRelay) {
        // A stream belongs to the first app that it is registered with.
        let _other = self.relay.set(relay);
    }

    /// Handles a client's `sub`.
    pub(crate) fn publish(self: &Arc<Self>, subscription: &Subscription, parameters: &Parameters) -> MethodResult<()> {
        let event: String = parameters.get(0).unwrap_or_default();
        if event.is_empty() {
            return Err(MethodError::new("invalid-event-name", "Invalid event name"));
        }
        if !(self.may_read)(subscription.user_id(), &event) {
            return Err(MethodError::new("not-allowed", "Not allowed"));
        }
        self.listen(subscription, &event);
        subscription.ready();
        if wants_document(parameters) {
            let fields = Fields::encode(&json!({ "eventName": event }))?;
            subscription.core().recipient().outbox().send(added_frame(&self.collection, "id", &fields));
        }
        Ok(())
    }

    fn listen(self: &Arc<Self>, subscription: &Subscription, event: &str) {
        let core = subscription.core();
        let handle = core.handle();
        let key = Arc::as_ptr(core.recipient()).addr();
        {
            let mut listeners = self.listeners.lock();
            let sessions = listeners.entry(event.into()).or_default();
            let new = || Listener { recipient: Arc::clone(core.recipient()), handles: Handles::new() };
            sessions.entry(key).or_insert_with(new).handles.push(handle);
        }
        let stream = Arc::clone(self);
        let event: Box<str> = event.into();
        subscription.on_stop(move || {
            let mut listeners = stream.listeners.lock();
            let Some(sessions) = listeners.get_mut(&event) else { return };
            if let Some(listener) = sessions.get_mut(&key) {
                listener.handles.retain(|other| *other != handle);
                if listener.handles.is_empty() {
                    sessions.swap_remove(&key);
                }
            }
            if sessions.is_empty() {
                listeners.remove(&event);
            }
        });
    }

    /// Sends an event to the listeners of this node.
    pub(crate) fn deliver(&self, event: &str, args: &RawJson) {
        let listeners = self.listeners.lock();
        let Some(sessions) = listeners.get(event) else { return };
        let frame = self.frame(event, args);
        for (place, listener) in sessions.values().enumerate() {
            // Under this lock, no event is sent between messages that belong together.
            let _views = listener.recipient.views();
            outbox::in_turn(place, || {
                if self.is_volatile {
                    listener.recipient.outbox().send_volatile(&self.collection, event, frame.clone());
                } else {
                    listener.recipient.outbox().send(frame.clone());
                }
            });
        }
    }

    fn frame(&self, event: &str, args: &RawJson) -> ByteString {
        let mut difference = Difference::default();
        let event = ejson::to_raw(event).unwrap_or_else(|_| RawJson::null());
        difference.set.insert("eventName".into(), event);
        difference.set.insert("args".into(), args.clone());
        changed_frame(&self.collection, "id", &difference)
    }
}

/// Returns whether the second parameter is `true`, or an object with `useCollection: true`.
fn wants_document(parameters: &Parameters) -> bool {
    match parameters.get(1) {
        Ok(Ejson::Bool(wanted)) => wanted,
        Ok(Ejson::Object(options)) => matches!(options.get("useCollection"), Some(Ejson::Bool(true))),
        _ => false,
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stream").field("name", &self.core.name).finish_non_exhaustive()
    }
}
