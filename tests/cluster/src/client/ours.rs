//! [`Ours`]: the Rust client, which records what it is sent.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bolide::client::{Change, Document, Heartbeat, Login, Reconnect, Resend, Status, Subscription};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::{Documents, Outcome, PATIENCE};

/// How many messages are kept for a report.
const RECORDED: usize = 60;

/// The time after which a client subscribes again if it was refused, as an application does.
const AGAIN: Duration = Duration::from_millis(300);

/// A client that is connected, or connects again by itself.
#[derive(Debug)]
pub(crate) struct Ours {
    client: bolide::client::Client,
    seen: Arc<Mutex<Seen>>,
    /// What records, and what subscribes again. They end with the client.
    tasks: Vec<AbortHandle>,
}

/// What the client was sent.
#[derive(Debug, Default)]
struct Seen {
    view: Documents,
    last: VecDeque<String>,
    disconnections: usize,
}

impl Ours {
    /// Connects to a port of this machine.
    pub(crate) async fn connect(port: u16) -> anyhow::Result<Self> {
        let reconnect = Reconnect {
            first_delay: Duration::from_millis(50),
            longest_delay: Duration::from_millis(500),
            attempts: None,
        };
        let second = Duration::from_secs(1);
        // A dead connection is noticed early; a node may be paused for longer than usual.
        let heartbeat = Heartbeat { interval: 2 * second, timeout: 3 * second };
        let builder = bolide::client::Client::builder(&format!("ws://127.0.0.1:{port}/websocket"));
        let builder = builder.reconnect(reconnect).heartbeat(heartbeat).connect_timeout(2 * second);
        let client = builder.connect().await?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let tasks = vec![record_changes(&client, &seen), record_status(&client, &seen)];
        Ok(Self { client, seen, tasks })
    }

    /// Connects and subscribes to a publication of `items`.
    pub(crate) async fn watching(port: u16, publication: &str, params: &Value) -> anyhow::Result<Self> {
        let mut client = Self::connect(port).await?;
        let subscription = client.client.subscribe(publication, params)?;
        timeout(PATIENCE, subscription.ready()).await??;
        let (publication, params) = (publication.to_owned(), params.clone());
        client.tasks.push(client.subscribe_again(subscription, publication, params));
        Ok(client)
    }

    /// Keeps a subscription, and makes it again after a pause whenever it was refused.
    fn subscribe_again(&self, mut current: Subscription, publication: String, params: Value) -> AbortHandle {
        let (client, seen) = (self.client.clone(), Arc::clone(&self.seen));
        tokio::spawn(async move {
            loop {
                let ended = current.stopped().await;
                seen.lock().note(format!("its subscription has ended: {ended:?}"));
                sleep(AGAIN).await;
                match client.subscribe(&publication, &params) {
                    Ok(again) => current = again,
                    // The client is closed.
                    Err(_) => return,
                }
            }
        })
        .abort_handle()
    }

    pub(crate) async fn login(&self, login: Login) -> Outcome {
        match timeout(PATIENCE, self.client.login(login)).await {
            Ok(Ok(account)) => Outcome::Done(account.user_id().into()),
            Ok(Err(error)) => Outcome::of(Err(error)),
            Err(_) => Outcome::Unknown("no answer".to_owned()),
        }
    }

    pub(crate) async fn logout(&self) -> Outcome {
        match timeout(PATIENCE, self.client.logout()).await {
            Ok(answer) => Outcome::of(answer.map(|()| None)),
            Err(_) => Outcome::Unknown("no answer".to_owned()),
        }
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> Outcome {
        let call = self.client.call::<()>(method, &params).resend(Resend::SameSession).without_prompt();
        match timeout(PATIENCE, call.outcome()).await {
            Ok(answer) => Outcome::of(answer),
            Err(_) => Outcome::Unknown("no answer".to_owned()),
        }
    }

    pub(crate) fn view(&self) -> Documents {
        self.seen.lock().view.clone()
    }

    pub(crate) fn disconnections(&self) -> usize {
        self.seen.lock().disconnections
    }

    pub(crate) fn recording(&self) -> Vec<String> {
        self.seen.lock().last.iter().cloned().collect()
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

fn record_changes(client: &bolide::client::Client, seen: &Arc<Mutex<Seen>>) -> AbortHandle {
    let (mut changes, seen) = (client.changes_of("items"), Arc::clone(seen));
    tokio::spawn(async move {
        while let Some(change) = changes.next().await {
            seen.lock().take(change);
        }
    })
    .abort_handle()
}

fn record_status(client: &bolide::client::Client, seen: &Arc<Mutex<Seen>>) -> AbortHandle {
    let (mut status, seen) = (client.status(), Arc::clone(seen));
    tokio::spawn(async move {
        let mut was_connected = true;
        while status.changed().await.is_ok() {
            let now = status.borrow_and_update().clone();
            if was_connected && !now.is_connected() {
                seen.lock().disconnections += 1;
            }
            was_connected = now.is_connected();
            seen.lock().note(match now {
                Status::Connected { resumed } => format!("connected, resumed: {resumed}"),
                other => format!("{other:?}"),
            });
        }
    })
    .abort_handle()
}

impl Seen {
    fn note(&mut self, text: String) {
        if self.last.len() == RECORDED {
            self.last.pop_front();
        }
        self.last.push_back(text);
    }

    fn take(&mut self, change: Change) {
        let mut text = format!("{change:?}");
        text.truncate(200);
        self.note(text);
        match change {
            Change::Added { document, .. } => {
                self.view.insert(document.id().to_wire().into_owned(), fields(&document));
            }
            Change::Changed { id, fields, cleared, .. } => {
                let Some(Value::Object(known)) = self.view.get_mut(&*id.to_wire()) else { return };
                known.retain(|name, _| !cleared.contains(name));
                for (name, value) in fields {
                    known.insert(name, serde_json::from_str(value.get()).unwrap_or_default());
                }
            }
            Change::Removed { id, .. } => drop(self.view.remove(&*id.to_wire())),
            Change::Reset => self.view.clear(),
        }
    }
}

fn fields(document: &Document) -> Value {
    document
        .fields()
        .iter()
        .map(|(name, value)| (name.clone(), serde_json::from_str::<Value>(value.get()).unwrap_or_default()))
        .collect()
}
