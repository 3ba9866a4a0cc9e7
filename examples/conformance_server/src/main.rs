//! The application that conformance cases, published clients and benchmarks run against. Programs outside this
//! repository depend on its names, so do not change them.

mod accounts;
mod arguments;
mod backing;
mod changes;
mod methods;
mod publications;
mod script;

use std::io::{IsTerminal as _, Write as _};

use arguments::Arguments;
use bolide::bus::{NatsBus, PostgresBus};
use bolide::clock::MovableClock;
use bolide::{App, Heartbeat, Limits};
use clap::Parser as _;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// A server allocates and frees many small objects. A program chooses its allocator; a library must not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .init();
    let clock = MovableClock::default();
    let listener = TcpListener::bind(&arguments.listen).await?;
    let accounts = backing::open(&arguments, &clock).await?.relying_party(backing::relying_party(&listener)?);
    accounts::add_users(&accounts).await?;
    let mut app = App::builder()
        .accounts(accounts)
        .without_default_rate_limits()
        .web_pages()
        .clock(clock.clone())
        // The benchmark of shared documents has a thousand sessions on one address.
        .limits(Limits { held_documents_per_network: Limits::default().held_documents, ..Limits::default() })
        .forwarded_count(arguments.forwarded_count)
        .heartbeat(Heartbeat { interval: arguments.heartbeat_interval(), timeout: arguments.heartbeat_timeout() });
    app = app.cluster(arguments.cluster.clone());
    if !arguments.nats.is_empty() {
        app = app.bus(NatsBus::new(&arguments.nats)?);
    } else if arguments.database.starts_with("postgres") {
        app = app.bus(PostgresBus::new(&arguments.database)?);
    }
    let items = arguments.items();
    for rule in arguments.rate_limit_rules() {
        app = app.rate_limit(rule);
    }
    let app =
        accounts::register(changes::register(publications::register(methods::register(app, clock), &items))).build()?;
    accounts::limit_requests(&app, arguments.rate_limits).await?;
    accounts::send_no_notices(&app).await?;
    accounts::allow_short_passwords(&app).await?;
    if arguments.passkeys {
        backing::add_passkeys(&app).await?;
    }
    // Installed before the announcement, because its reader may stop this program at once.
    let ended = ended()?;
    announce(&listener)?;
    if let Some(address) = &arguments.metrics_listen {
        let (app, metrics) = (app.clone(), TcpListener::bind(address).await?);
        tokio::spawn(async move { app.serve_metrics_on(metrics, std::future::pending()).await });
    }
    app.serve_on(listener, ended).await;
    Ok(())
}

/// Prints the address to standard output, for the process that started this program.
fn announce(listener: &TcpListener) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "listening on http://{}", listener.local_addr()?)?;
    output.flush()
}

/// Listens for SIGINT and SIGTERM from now on. The future completes at the first of them.
fn ended() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
