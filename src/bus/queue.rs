//! The queue between a node and a connection: bounded in messages and in bytes. What finds no room is dropped; the other nodes
//! see that its number is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::BusSender;

/// The maximum number of messages that wait.
const MAX_MESSAGES: usize = 4_096;

/// The maximum number of bytes of all messages that wait.
const MAX_BYTES: usize = 8 << 20;

/// The end of a queue from which messages are taken.
pub(super) struct Queue {
    messages: mpsc::Receiver<Arc<[u8]>>,
    room: Arc<Room>,
}

#[derive(Default)]
struct Room {
    bytes: AtomicUsize,
    /// Whether the last message was dropped; one line of the log tells of many in a row.
    is_full: AtomicBool,
}

/// Returns a queue, and what sends into it. `bus` is the name for the log.
pub(super) fn queue(bus: &'static str) -> (BusSender, Queue) {
    let (sender, messages) = mpsc::channel(MAX_MESSAGES);
    let room = Arc::new(Room::default());
    let queue = Queue { messages, room: Arc::clone(&room) };
    let send = move |message: Arc<[u8]>| {
        let bytes = message.len();
        if room.take(bytes) && send_or_give_back(&sender, message, &room) {
            room.is_full.store(false, Ordering::Relaxed);
            return;
        }
        if !room.is_full.swap(true, Ordering::Relaxed) {
            tracing::warn!(bus, "messages for the bus are dropped, since too many wait for the connection");
        }
    };
    (BusSender::new(send), queue)
}

fn send_or_give_back(sender: &mpsc::Sender<Arc<[u8]>>, message: Arc<[u8]>, room: &Room) -> bool {
    let bytes = message.len();
    let is_sent = sender.try_send(message).is_ok();
    if !is_sent {
        room.give_back(bytes);
    }
    is_sent
}

impl Queue {
    /// Takes the messages that wait, at most `maximum`. Waits for one. Returns an empty list when the node has gone.
    pub(super) async fn next(&mut self, maximum: usize) -> Vec<Arc<[u8]>> {
        let mut taken = Vec::new();
        self.messages.recv_many(&mut taken, maximum).await;
        self.room.give_back(taken.iter().map(|message| message.len()).sum());
        taken
    }
}

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let taken = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = taken + bytes <= MAX_BYTES;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_queue_keeps_order_and_drops_what_finds_no_room() {
        let (sender, mut queue) = queue("test");
        for n in 0..=MAX_MESSAGES {
            sender.send(Arc::from(n.to_be_bytes()));
        }
        let taken = queue.next(usize::MAX).await;
        assert_eq!(taken.len(), MAX_MESSAGES);
        assert!((0_usize..).zip(&taken).all(|(n, message)| **message == n.to_be_bytes()));
        let large: Arc<[u8]> = vec![0; MAX_BYTES / 4].into();
        for _ in 0..10 {
            sender.send(Arc::clone(&large));
        }
        assert_eq!(queue.next(100).await.len(), 4, "bounded in bytes");
        sender.send(large);
        assert_eq!(queue.next(100).await.len(), 1, "there is room again");
        drop(sender);
        assert!(queue.next(100).await.is_empty());
    }
}
