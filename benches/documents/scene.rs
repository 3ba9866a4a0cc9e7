//! The app that is measured: a collection of messages in rooms, and subscribers of rooms.

use std::time::{Duration, Instant};

use bolide::prelude::*;
use bolide::protocol::ejson::Object;
use bolide::{AppBuilder, FromServer, MemoryConnection};

/// The number of subscriptions of one connection; the default limit is 2,000.
const SUBSCRIPTIONS_EACH: usize = 1_000;

/// What subscribers watch.
#[derive(Clone, Copy)]
pub(crate) enum Watched {
    /// All messages of a room.
    Room,
    /// The newest 50 messages of a room.
    Newest,
}

/// An app with subscribers.
pub(crate) struct Scene {
    pub(crate) messages: Collection,
    app: App,
    clients: Vec<MemoryConnection>,
}

impl Scene {
    /// Creates an app with a collection that has `documents` in `rooms`.
    pub(crate) async fn new(app: AppBuilder, messages: Collection, documents: usize, rooms: usize) -> Self {
        let (of_room, newest) = (messages.clone(), messages.clone());
        let app = app
            .collection(&messages)
            .publish("room", async move |subscription: Subscription, room: String| {
                subscription.publish(of_room.find(Filter::eq("rid", room))).await
            })
            .publish("newest", async move |subscription: Subscription, room: String| {
                let of_room = newest.find(Filter::eq("rid", room));
                subscription.publish(of_room.sort("ts", Direction::Descending).limit(50)).await
            })
            .build()
            .expect("an app");
        fill(&messages, documents, rooms).await;
        Self { messages, app, clients: Vec::new() }
    }

    /// Subscribes to each of the first rooms once.
    pub(crate) async fn watch(&mut self, watched: Watched, rooms: usize) {
        for first in (0..rooms).step_by(SUBSCRIPTIONS_EACH) {
            let mut client = connect(&self.app).await;
            for room in first..rooms.min(first + SUBSCRIPTIONS_EACH) {
                subscribe(&mut client, watched, room).await;
            }
            self.clients.push(client);
        }
    }

    /// Measures a subscription until it is ready. Returns the median of several rooms.
    pub(crate) async fn time_to_subscribe(&self, watched: Watched, rooms: usize) -> Duration {
        let mut times = Vec::new();
        for room in 0..rooms {
            let mut client = connect(&self.app).await;
            let start = Instant::now();
            subscribe(&mut client, watched, room).await;
            times.push(start.elapsed());
        }
        median(times)
    }

    /// Measures inserts, updates and removals of one document each, in the watched rooms.
    pub(crate) async fn time_to_write(&mut self, rooms: usize, writes: usize) -> Writes {
        let (mut insert, mut update, mut remove) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..writes {
            let id = format!("new{number}");
            let new = message(1_000_000_000 + number, number * 7 % rooms);
            let start = Instant::now();
            self.messages.insert(id.as_str(), &new).await.expect("a new document");
            insert.push(start.elapsed());
            let start = Instant::now();
            self.messages.update(id.as_str(), Update::new().set("text", "changed")).await.expect("it is there");
            update.push(start.elapsed());
            let start = Instant::now();
            self.messages.remove(id.as_str()).await.expect("it is there");
            remove.push(start.elapsed());
            if number % 100 == 99 {
                self.drain().await;
            }
        }
        Writes { insert: median(insert), update: median(update), remove: median(remove) }
    }

    async fn drain(&mut self) {
        for client in &mut self.clients {
            client.send(r#"{"msg":"ping","id":"drained"}"#).await;
            until(client, "drained").await;
        }
    }
}

/// The medians of writes.
pub(crate) struct Writes {
    pub(crate) insert: Duration,
    pub(crate) update: Duration,
    pub(crate) remove: Duration,
}

pub(crate) fn message(number: usize, room: usize) -> Object {
    let time = i64::try_from(number).unwrap_or(i64::MAX);
    let fields = [
        ("rid".to_owned(), Ejson::from(format!("room{room}"))),
        ("ts".to_owned(), Ejson::Date(bolide::protocol::ejson::Date::from_milliseconds(time))),
        ("text".to_owned(), Ejson::from(format!("the message with the number {number}"))),
    ];
    fields.into_iter().collect()
}

/// Adds documents, many at once.
pub(crate) async fn fill(messages: &Collection, documents: usize, rooms: usize) {
    for first in (0..documents).step_by(1_000) {
        let mut batch = bolide::collection::Batch::new();
        for number in first..documents.min(first + 1_000) {
            batch = batch.insert(messages, number.to_string(), &message(number, number % rooms));
        }
        batch.commit().await.expect("new documents");
    }
}

pub(crate) async fn connect(app: &App) -> MemoryConnection {
    let mut client = app.connect();
    client.send(r#"{"msg":"connect","version":"1","support":["1"]}"#).await;
    until(&mut client, "connected").await;
    client
}

pub(crate) async fn subscribe(client: &mut MemoryConnection, watched: Watched, room: usize) {
    let name = match watched {
        Watched::Room => "room",
        Watched::Newest => "newest",
    };
    client.send(format!(r#"{{"msg":"sub","id":"{name}{room}","name":"{name}","params":["room{room}"]}}"#)).await;
    until(client, r#""msg":"ready""#).await;
}

pub(crate) async fn until(client: &mut MemoryConnection, text: &str) {
    loop {
        match client.receive().await {
            Some(FromServer::Frame(frame)) if frame.contains(text) => return,
            Some(FromServer::Frame(frame)) => assert!(!frame.contains("nosub"), "{frame}"),
            other => panic!("the connection ended: {other:?}"),
        }
    }
}

pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
