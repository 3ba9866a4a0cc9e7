//! [`Listener`]: listens to what other nodes have written, and checks with probes of its own that it hears everything.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use bolide_protocol::random;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::chance::{Generator, SystemChance};
use crate::store::sql::News;

/// The channel on which the triggers of the schema send.
const CHANNEL: &str = "bolide_store";

/// The time between two probes.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// The time without an echo after which the connection is given up. It is longer than a lease, so that a short delay does not
/// cost a new connection.
const DEAF: Duration = Duration::from_secs(5);

/// The number of characters by which this node knows its own probes.
const ID_LENGTH: usize = 17;

/// The time before a lost connection is made again.
const RETRY: Duration = Duration::from_millis(500);

/// A task that listens until this is dropped.
pub(super) struct Listener(JoinHandle<()>);

impl Listener {
    pub(super) fn start(server: PgConnectOptions, news: News) -> Self {
        Self(tokio::spawn(listen(server, news)))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn listen(server: PgConnectOptions, news: News) {
    let mut was_lost = false;
    loop {
        // A connection that hangs is left to the operating system, so each attempt has a pool of its own: one connection that
        // listens, and one for probes, which do not wait for those of the store.
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(DEAF)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(server.clone());
        let Err(reason) = hear(&pool, &news, &mut was_lost).await;
        news.may_be_missed();
        if !was_lost {
            tracing::warn!(%reason, "the database does not tell of other nodes' writes: nothing is cached until it does");
        }
        was_lost = true;
        sleep(RETRY).await;
    }
}

/// Listens until the connection is lost, or hears nothing any more.
async fn hear(pool: &PgPool, news: &News, was_lost: &mut bool) -> Result<Infallible, sqlx::Error> {
    let mut listener =
        timeout(DEAF, PgListener::connect_with(pool)).await.map_err(|_| lost("it does not answer"))??;
    // Whatever was sent between two connections is missed.
    listener.eager_reconnect(false);
    timeout(DEAF, listener.listen(CHANNEL)).await.map_err(|_| lost("it does not answer"))??;
    let (echo, echoes) = watch::channel(None);
    let own = format!("probe:{}:", random::id_of_length(&mut Generator(&SystemChance), ID_LENGTH));
    tokio::select! {
        end = receive(&mut listener, news, &own, &echo, was_lost) => end,
        end = probe(pool, news, &own, echoes) => end,
    }
}

/// Takes messages until the connection is lost.
async fn receive(
    listener: &mut PgListener,
    news: &News,
    own: &str,
    echo: &watch::Sender<Option<u64>>,
    was_lost: &mut bool,
) -> Result<Infallible, sqlx::Error> {
    while let Some(message) = listener.try_recv().await? {
        let message = message.payload();
        let Some(number) = message.strip_prefix(own).and_then(|number| number.parse().ok()) else {
            news.take(message);
            continue;
        };
        echo.send_replace(Some(number));
        if std::mem::take(was_lost) {
            tracing::info!("the database tells of other nodes' writes again");
        }
    }
    Err(lost("the connection was lost"))
}

/// Sends probes until one has no echo. A message that was committed before a probe arrives before its echo.
async fn probe(
    pool: &PgPool,
    news: &News,
    own: &str,
    mut echoes: watch::Receiver<Option<u64>>,
) -> Result<Infallible, sqlx::Error> {
    let mut probes = interval(PROBE_INTERVAL);
    probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0_u64.. {
        probes.tick().await;
        let sent = Instant::now();
        let echo = async {
            let probe = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(format!("{own}{number}"));
            probe.execute(pool).await?;
            echoes.wait_for(|echo| *echo == Some(number)).await.map_err(|_| lost("the listener has ended"))?;
            Ok::<_, sqlx::Error>(())
        };
        timeout(DEAF, echo).await.map_err(|_| lost("its probe has no echo"))??;
        news.are_complete(sent);
    }
    Err(lost("there are no more numbers of probes"))
}

fn lost(reason: &'static str) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(ErrorKind::TimedOut, reason))
}
