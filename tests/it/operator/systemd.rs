//! What systemd gives to a service, and what it is told.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::{Data, Serving};
use crate::client::Client;
use crate::waiting::soon;

/// Returns a command that has `first` as its descriptor 3 and `second` as 4, as systemd passes sockets.
fn activated(data: &Data, first: OwnedFd, second: OwnedFd) -> Command {
    let script = "exec 3<&0 4<&1 1>&2 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=2 exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_bolide"), "serve", "--listen", "127.0.0.1:1"]);
    command.env("BOLIDE_DATA_DIR", &data.directory).env_remove("BOLIDE_LISTEN");
    command.stdin(Stdio::from(first)).stdout(Stdio::from(second)).stderr(Stdio::null());
    command
}

async fn ready(path: &Path) -> String {
    let mut socket = UnixStream::connect(path).await.unwrap();
    socket.write_all(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    soon(socket.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn the_sockets_that_systemd_has_opened_are_served_instead_of_addresses() {
    let data = Data::new("activation");
    let path = data.directory.join("activated.sock");
    let (tcp, unix) = (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&path).unwrap());
    let address = tcp.local_addr().unwrap();
    let mut process = activated(&data, tcp.into(), unix.into()).spawn().unwrap();
    // The sockets listen already: clients wait until the server accepts them.
    let mut client = Client::connect(address).await;
    client.ping().await;
    assert!(ready(&path).await.starts_with("HTTP/1.1 200 "));
    let id = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(id, Signal::TERM).unwrap();
    assert_eq!(client.close_code().await, 1001);
    client.wait_for_end().await;
    let ended = tokio::task::spawn_blocking(move || process.wait().unwrap());
    assert!(soon(ended).await.unwrap().success());
    assert!(path.exists(), "the file is systemd's");
}

#[test]
fn systemd_is_told_when_the_server_is_ready_reloads_and_stops() {
    let data = Data::new("notices");
    let path = data.directory.join("notify.sock");
    let notices = UnixDatagram::bind(&path).unwrap();
    notices.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let next = || {
        let mut text = [0; 100];
        let length = notices.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let mut command = data.bolide(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path);
    let mut server = Serving::start(command);
    assert_eq!(next(), "READY=1\n");
    let monotonic = || rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = monotonic().tv_sec;
    server.signal(Signal::HUP);
    let reloading = next();
    let told = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|rest| rest.strip_suffix('\n'));
    let told: i64 = told.unwrap_or_else(|| panic!("{reloading}")).parse().unwrap();
    assert!((seconds..=monotonic().tv_sec).contains(&(told / 1_000_000)), "{reloading}");
    assert_eq!(next(), "READY=1\n");
    server.signal(Signal::TERM);
    assert_eq!(next(), "STOPPING=1\n");
    assert!(server.process.wait().unwrap().success());
}
