//! Sockets on loopback, each role with an address of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::Failure;

pub(crate) const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const VISITOR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// How long one read or write waits, so that deadlines are noticed.
const TICK: Duration = Duration::from_millis(50);

/// The way from a client to the server.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) from: Ipv4Addr,
    pub(crate) to: SocketAddr,
    /// What takes longer counts as refused.
    pub(crate) patience: Duration,
}

impl Route {
    pub(crate) fn of_attacker(to: SocketAddr) -> Self {
        Self { from: ATTACKER, to, patience: Duration::from_mins(1) }
    }

    pub(crate) fn of_visitor(to: SocketAddr) -> Self {
        Self { from: VISITOR, to, patience: Duration::from_secs(2) }
    }

    /// Opens a connection whose reads and writes wait for a moment only.
    pub(crate) fn dial(self) -> Result<TcpStream, Failure> {
        let stream = self.connect(&socket()?)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
        Ok(stream)
    }

    /// Opens a connection that does not wait, and has next to no room for what it does not read.
    pub(crate) fn dial_narrow(self) -> Result<TcpStream, Failure> {
        const SMALLEST: usize = 2048;
        let socket = socket()?;
        socket.set_recv_buffer_size(SMALLEST)?;
        let stream = self.connect(&socket)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    fn connect(self, socket: &Socket) -> Result<TcpStream, Failure> {
        socket.bind(&SocketAddr::from((self.from, 0)).into())?;
        socket.connect_timeout(&self.to.into(), self.patience)?;
        Ok(socket.try_clone()?.into())
    }
}

fn socket() -> Result<Socket, Failure> {
    Ok(Socket::new(Domain::IPV4, Type::STREAM, None)?)
}

/// One of thousands of addresses of other visitors.
pub(crate) fn other_visitor(number: usize) -> Ipv4Addr {
    let [high, low] = (number as u16).to_be_bytes();
    Ipv4Addr::new(127, 1, high, low.clamp(1, 254))
}
