//! The application that conformance cases, published clients and benchmarks run against. Programs outside of this
//! repository know its names: change none.

mod accounts;
mod arguments;
mod backing;
mod methods;
mod publications;
mod script;

use std::io::{IsTerminal as _, Write as _};

use arguments::Arguments;
use bolide::clock::MovableClock;
use bolide::{App, Heartbeat};
use clap::Parser as _;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// A server makes and frees many small things. An allocator is the choice of a program, never of a library.
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
    let accounts = backing::open(&arguments, &clock).await?;
    accounts::add_users(&accounts).await?;
    let mut app = App::builder()
        .accounts(accounts)
        .web_pages()
        .clock(clock.clone())
        .forwarded_count(arguments.forwarded_count)
        .heartbeat(Heartbeat { interval: arguments.heartbeat_interval(), timeout: arguments.heartbeat_timeout() });
    for rule in arguments.rate_limit_rules() {
        app = app.rate_limit(rule);
    }
    let app = accounts::register(publications::register(methods::register(app, clock))).build()?;
    accounts::limit_requests(&app, arguments.rate_limits).await?;
    let listener = TcpListener::bind(&arguments.listen).await?;
    // Whoever reads the announcement may end this program at once.
    let ended = ended()?;
    announce(&listener)?;
    app.serve_on(listener, ended).await;
    Ok(())
}

/// The one line on standard output, for whoever started this program.
fn announce(listener: &TcpListener) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "listening on http://{}", listener.local_addr()?)?;
    output.flush()
}

/// SIGINT or SIGTERM, from now on.
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
