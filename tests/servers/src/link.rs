//! [`Link`]: a TCP proxy in front of a server, which can swallow everything without ending a connection.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A link to a server on this machine. It ends with the process.
#[derive(Debug)]
pub struct Link {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    swallows: bool,
    connections: Vec<Connection>,
}

/// A connection that was made. It is kept, so that neither side sees it end.
#[derive(Debug)]
struct Connection {
    is_dead: Arc<AtomicBool>,
    _client: TcpStream,
}

impl Link {
    /// Starts a link to the server on a port.
    ///
    /// # Panics
    ///
    /// If this machine has no free port.
    #[must_use]
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it listens").port();
        let link = Self { port, state: Arc::default() };
        let state = Arc::clone(&link.state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is away refuses the connection.
                let _refused = connect(client, server, &state);
            }
        });
        link
    }

    /// Returns the port on 127.0.0.1 that leads to the server.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Swallows from now on what both sides send, and ends nothing: all connections, and those that are made meanwhile, are
    /// dead without a sign, also after the link was [restored](Self::restore).
    pub fn swallow(&self) {
        let mut state = lock(&self.state);
        state.swallows = true;
        for connection in &state.connections {
            connection.is_dead.store(true, Ordering::SeqCst);
        }
    }

    /// Carries what is sent on new connections.
    pub fn restore(&self) {
        lock(&self.state).swallows = false;
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(client: TcpStream, server: u16, state: &Mutex<State>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut state = lock(state);
    let is_dead = Arc::new(AtomicBool::new(state.swallows));
    state.connections.push(Connection { is_dead: Arc::clone(&is_dead), _client: client.try_clone()? });
    if state.swallows {
        return Ok(());
    }
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    server.set_nodelay(true)?;
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let of_client = Arc::clone(&is_dead);
    thread::spawn(move || carry(from_client, to_server, &of_client));
    thread::spawn(move || carry(server, client, &is_dead));
    Ok(())
}

/// Carries what one side sends until it ends, or until the connection is dead.
fn carry(mut from: TcpStream, mut to: TcpStream, is_dead: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length) = from.read(&mut buffer) {
        if is_dead.load(Ordering::SeqCst) {
            // The sockets stay open: neither side is told.
            loop {
                thread::park();
            }
        }
        if length == 0 || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ended_already = to.shutdown(Shutdown::Write);
}
