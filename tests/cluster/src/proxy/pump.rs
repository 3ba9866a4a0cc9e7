//! Carries the bytes of one direction of a connection.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::notifications::Notifications;
use super::{Link, State};

/// Carries bytes until one side ends, as the link allows.
pub(super) async fn carry(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut notifications: Option<Notifications>,
    mut state: watch::Receiver<State>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        let link = passable(&mut state).await;
        if read == 0 {
            break;
        }
        let written = match &mut notifications {
            Some(notifications) => to.write_all(&notifications.filter(&buffer[..read], link == Link::Deaf)).await,
            None => to.write_all(&buffer[..read]).await,
        };
        if written.is_err() {
            break;
        }
    }
    let _ended_already = to.shutdown().await;
}

/// Waits until the link carries something, and as long as it takes.
async fn passable(state: &mut watch::Receiver<State>) -> Link {
    let link = match state.wait_for(|state| state.link != Link::BlackHole).await {
        Ok(state) => state.link,
        Err(_proxy_is_gone) => Link::Open,
    };
    if let Link::Slow(delay) = link {
        tokio::time::sleep(delay).await;
    }
    link
}

/// Reads and forgets what a client sends, until it ends.
pub(super) async fn swallow(from: &mut OwnedReadHalf) {
    let mut buffer = vec![0; 4096];
    while from.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}
