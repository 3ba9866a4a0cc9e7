//! What systemd and a service tell each other: sockets that systemd has opened, and notices about the state of the service.

use std::io;
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;

use bolide::Listener;

/// The service manager that is notified, if there is one.
#[derive(Debug)]
pub(crate) struct Notices {
    #[cfg(unix)]
    socket: Option<UnixDatagram>,
}

/// A state of the service, as systemd calls it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    Ready,
    Reloading,
    Stopping,
}

/// Takes the sockets that systemd has opened for this process (`LISTEN_FDS`). Empty if it has opened none.
#[cfg(unix)]
pub(crate) fn listeners() -> io::Result<Vec<Listener>> {
    let mut passed = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for place in 0..passed.len() {
        if let Ok(Some(socket)) = passed.take_tcp_listener(place) {
            socket.set_nonblocking(true)?;
            listeners.push(tokio::net::TcpListener::from_std(socket)?.into());
        } else if let Some(socket) = passed.take_unix_listener(place)? {
            socket.set_nonblocking(true)?;
            listeners.push(tokio::net::UnixListener::from_std(socket)?.into());
        }
    }
    Ok(listeners)
}

#[cfg(not(unix))]
pub(crate) fn listeners() -> io::Result<Vec<Listener>> {
    Ok(Vec::new())
}

#[cfg(unix)]
impl Notices {
    /// Finds the service manager in the environment. A socket that cannot be reached counts as none.
    pub(crate) fn from_environment() -> Self {
        let address = std::env::var_os("NOTIFY_SOCKET");
        Self { socket: address.and_then(|address| connect(&address).ok()) }
    }

    /// Tells the state. Does nothing without a service manager.
    pub(crate) fn tell(&self, state: State) {
        let text = match state {
            State::Ready => "READY=1\n".to_owned(),
            State::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}\n", monotonic_microseconds()),
            State::Stopping => "STOPPING=1\n".to_owned(),
        };
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(text.as_bytes())
        {
            tracing::warn!("the service manager cannot be told of {state:?}: {error}");
        }
    }
}

/// Returns the time of the clock by which systemd tells whether a notice is about its own request.
#[cfg(unix)]
fn monotonic_microseconds() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000)
}

/// Connects with a path, or with a name of the abstract namespace, which begins with `@`.
#[cfg(unix)]
fn connect(address: &std::ffi::OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::ffi::OsStrExt as _;
        if let Some(name) = address.as_bytes().strip_prefix(b"@") {
            socket.connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)?;
            return Ok(socket);
        }
    }
    socket.connect(address)?;
    Ok(socket)
}

#[cfg(not(unix))]
impl Notices {
    pub(crate) const fn from_environment() -> Self {
        Self {}
    }

    pub(crate) const fn tell(&self, _: State) {}
}
