//! [`Listener`]: where a server accepts connections: at a TCP address, with TLS or without, or on a Unix socket.

use std::fmt;
use std::io;

use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use super::listener::bind;
use super::remote::Remote;
#[cfg(feature = "tls")]
use super::tls::Tls;
#[cfg(unix)]
use super::unix_socket::{SocketFile, listen_on};

/// What the address of a Unix socket begins with.
#[cfg(unix)]
const UNIX: &str = "unix:";

/// Where a server accepts connections: at a TCP address, with TLS or without, or on a Unix socket. For
/// [`App::serve_all`](crate::App::serve_all).
#[derive(Debug)]
pub struct Listener {
    socket: Listening,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

#[derive(Debug)]
enum Listening {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        socket: UnixListener,
        /// `None` if another process has made the file, such as systemd.
        _file: Option<SocketFile>,
    },
}

/// An accepted connection.
pub(super) enum Accepted {
    Tcp(TcpStream, Remote),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener {
    /// The mode of the file of a Unix socket, unless another is set: its owner and its group may connect.
    pub const SOCKET_MODE: u32 = 0o660;

    /// Listens on an address such as `127.0.0.1:3000`, or on a Unix socket such as `unix:/run/bolide.sock`, whose file gets
    /// the mode [`SOCKET_MODE`](Self::SOCKET_MODE).
    ///
    /// # Errors
    /// Returns the error of the system. The file of a Unix socket is replaced if no process listens on it; otherwise the
    /// error is [`AddrInUse`](io::ErrorKind::AddrInUse).
    pub async fn bind(address: &str) -> io::Result<Self> {
        Self::bind_with_mode(address, Self::SOCKET_MODE).await
    }

    /// Does the same with another mode for the file of a Unix socket, such as `0o666`.
    ///
    /// # Errors
    /// Returns the errors of [`bind`](Self::bind).
    pub async fn bind_with_mode(address: &str, mode: u32) -> io::Result<Self> {
        #[cfg(unix)]
        if let Some(path) = address.strip_prefix(UNIX) {
            let (socket, file) = listen_on(path.as_ref(), mode)?;
            return Ok(Self::new(Listening::Unix { socket, _file: Some(file) }));
        }
        #[cfg(not(unix))]
        let _no_file = mode;
        Ok(bind(address).await?.into())
    }

    /// Serves TLS on a TCP address. A Unix socket is served without.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: &Tls) -> Self {
        if matches!(self.socket, Listening::Tcp(_)) {
            self.tls = Some(tls.clone());
        }
        self
    }

    /// Returns the TCP address. `None` for a Unix socket.
    #[must_use]
    pub fn local_addr(&self) -> Option<std::net::SocketAddr> {
        match &self.socket {
            Listening::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Listening::Unix { .. } => None,
        }
    }

    #[cfg(feature = "tls")]
    pub(super) const fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match &self.socket {
            Listening::Tcp(listener) => {
                let (socket, address) = listener.accept().await?;
                Ok(Accepted::Tcp(socket, Remote::Address(address)))
            }
            #[cfg(unix)]
            Listening::Unix { socket, .. } => Ok(Accepted::Unix(socket.accept().await?.0)),
        }
    }

    const fn new(socket: Listening) -> Self {
        Self {
            socket,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl Accepted {
    pub(super) const fn remote(&self) -> Remote {
        match self {
            Self::Tcp(_, remote) => *remote,
            #[cfg(unix)]
            Self::Unix(_) => Remote::Unix,
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self::new(Listening::Tcp(socket))
    }
}

#[cfg(unix)]
impl From<UnixListener> for Listener {
    fn from(socket: UnixListener) -> Self {
        Self::new(Listening::Unix { socket, _file: None })
    }
}

/// Shows it as a URL: `http://127.0.0.1:3000`, `https://127.0.0.1:3000` or `unix:/run/bolide.sock`.
impl fmt::Display for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "tls")]
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        #[cfg(not(feature = "tls"))]
        let scheme = "http";
        match &self.socket {
            Listening::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(formatter, "{scheme}://{address}"),
                Err(_) => formatter.write_str(scheme),
            },
            #[cfg(unix)]
            Listening::Unix { socket, .. } => {
                let address = socket.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                write!(formatter, "unix:{}", path.map_or_else(String::new, |path| path.display().to_string()))
            }
        }
    }
}
