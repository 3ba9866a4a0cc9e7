//! [`Stream`]: events by name, as Rocket.Chat's `stream-…` publications. An event is sent once to each session that
//! listens, and nothing of it is kept.

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
use crate::user::UserId;

/// Decides whether somebody may listen to an event.
pub type StreamRule = Box<dyn Fn(Option<&UserId>, &str) -> bool + Send + Sync>;

/// Events that clients listen to by name: clients subscribe to `stream-<name>` with the event's name, and are sent
/// `changed` of the document `id` with the fields `eventName` and `args`.
///
/// Nobody may listen until [`allow_read`](Self::allow_read) says who.
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

/// Tells other nodes of an event: its name and its arguments.
pub(crate) type StreamRelay = Box<dyn Fn(&str, RawJson) + Send + Sync>;

pub(crate) struct StreamCore {
    name: String,
    /// The publication and the collection.
    collection: Arc<str>,
    may_read: StreamRule,
    is_volatile: bool,
    listeners: Mutex<HashMap<Box<str>, IndexMap<usize, Listener>>>,
    relay: OnceLock<StreamRelay>,
}

/// A session with its subscriptions to one event.
struct Listener {
    recipient: Arc<Recipient>,
    handles: Handles,
}

impl Stream {
    /// A stream of this name; its publication is `stream-<name>`.
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

    /// Says who may listen to which event.
    ///
    /// # Panics
    /// When the stream is shared already: say it where the stream is made.
    #[must_use]
    pub fn allow_read(mut self, rule: impl Fn(Option<&UserId>, &str) -> bool + Send + Sync + 'static) -> Self {
        self.core_mut().may_read = Box::new(rule);
        self
    }

    /// Lets a client that reads too slowly miss events: of each event's name only the latest waits for it. For what is
    /// true only now, such as who is typing.
    ///
    /// # Panics
    /// When the stream is shared already: say it where the stream is made.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.core_mut().is_volatile = true;
        self
    }

    /// The stream's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// Sends an event to all who listen, on every node. `args` is a tuple or a list.
    ///
    /// # Errors
    /// An internal error when `args` cannot be written as a list.
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

    /// How many sessions listen to events of this name.
    #[must_use]
    pub fn listener_count(&self, event: &str) -> usize {
        self.core.listeners.lock().get(event).map_or(0, IndexMap::len)
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn of(core: Arc<StreamCore>) -> Self {
        Self { core }
    }

    pub(crate) fn core(&self) -> &Arc<StreamCore> {
        &self.core
    }

    fn core_mut(&mut self) -> &mut StreamCore {
        Arc::get_mut(&mut self.core).expect("a stream is described before it is shared")
    }
}

impl StreamCore {
    pub(crate) fn collection(&self) -> &str {
        &self.collection
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Has events told to other nodes by `relay`.
    pub(crate) fn attach(&self, relay: StreamRelay) {
        // The first app keeps it.
        let _other = self.relay.set(relay);
    }

    /// What a client's `sub` does.
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

    /// Sends an event to those who listen on this node.
    pub(crate) fn deliver(&self, event: &str, args: &RawJson) {
        let listeners = self.listeners.lock();
        let Some(sessions) = listeners.get(event) else { return };
        let frame = self.frame(event, args);
        for listener in sessions.values() {
            // Nothing is sent amid what others send in one step.
            let _views = listener.recipient.views();
            if self.is_volatile {
                listener.recipient.outbox().send_volatile(&self.collection, event, frame.clone());
            } else {
                listener.recipient.outbox().send(frame.clone());
            }
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

/// The second parameter: `true`, or an object whose `useCollection` is.
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
