//! The attacker's own process: one flood on one server.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::client::Client;
use crate::flood::Flood;
use crate::network::Route;

/// How long an attacker waits after a refusal.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Plan {
    pub(crate) flood: &'static Flood,
    pub(crate) server: SocketAddr,
    pub(crate) duration: Duration,
}

impl Plan {
    /// Floods the server, says what was sent once the time is over, and then holds what was opened until standard input ends.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let attack = Arc::new(Attack::on(self.server));
        let flooding = Arc::clone(&attack);
        let flood = self.flood.attack;
        thread::spawn(move || flood(&flooding));
        thread::sleep(self.duration);
        println!("{}", serde_json::to_string(&attack.toll())?);
        std::io::stdout().flush()?;
        // Its end is that of the process that started this one.
        std::io::stdin().read_to_end(&mut vec![])?;
        Ok(())
    }
}

/// What the attacker did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Toll {
    pub(crate) sent: usize,
    /// How much of it was answered with an error, or not at all since the connection was lost.
    pub(crate) refused: usize,
}

/// A flood that is under way.
pub(crate) struct Attack {
    server: SocketAddr,
    sent: AtomicUsize,
    refused: AtomicUsize,
    held: Mutex<Vec<TcpStream>>,
}

impl Attack {
    pub(crate) fn on(server: SocketAddr) -> Self {
        Self { server, sent: AtomicUsize::new(0), refused: AtomicUsize::new(0), held: Mutex::default() }
    }

    pub(crate) fn toll(&self) -> Toll {
        Toll { sent: self.sent.load(Ordering::Relaxed), refused: self.refused.load(Ordering::Relaxed) }
    }

    pub(crate) fn route(&self) -> Route {
        Route::of_attacker(self.server)
    }

    pub(crate) fn note_sent(&self, count: usize) {
        self.sent.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn note_refused(&self, count: usize) {
        self.refused.fetch_add(count, Ordering::Relaxed);
    }

    /// Keeps a connection open until the end.
    pub(crate) fn hold(&self, stream: TcpStream) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
    }

    /// Tries something, counts it, and waits a little if it was refused.
    pub(crate) fn attempt<T>(&self, work: impl FnOnce() -> Result<T, Failure>) -> Option<T> {
        self.note_sent(1);
        match work() {
            Ok(done) => Some(done),
            Err(_refusal) => {
                self.note_refused(1);
                thread::sleep(PAUSE);
                None
            }
        }
    }

    /// Opens a session, and tries again for as long as it is refused.
    pub(crate) fn client(&self) -> Client {
        loop {
            if let Ok(client) = Client::connect(self.route()) {
                return client;
            }
            self.note_refused(1);
            thread::sleep(PAUSE);
        }
    }
}

/// Runs several threads, which get their numbers.
pub(crate) fn in_parallel(threads: usize, work: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for number in 0..threads {
            let work = &work;
            scope.spawn(move || work(number));
        }
    });
}
