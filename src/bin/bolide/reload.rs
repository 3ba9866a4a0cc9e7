//! SIGHUP: a running server reads its file and its certificate again, and says what needs a restart.

use std::io;

use bolide::{App, Tls};

use super::configuration::Configuration;
use super::logging::Logging;
use super::serve::Arguments;
use super::systemd::{Notices, State};
use super::{Command, read};

/// The flags that a running server can change. [`Arguments::apply`] does it.
const CHANGEABLE: [&str; 4] = ["log", "forwarded-count", "trusted-proxy", "allowed-origins"];

/// The requests to reload. SIGHUP does not end the process as long as this exists, and afterwards.
pub(crate) struct Hangups {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

/// A running server.
pub(crate) struct Running<'server> {
    pub(crate) app: &'server App,
    pub(crate) log: &'server Logging,
    pub(crate) tls: Option<&'server Tls>,
    pub(crate) root_url: &'server str,
    pub(crate) notices: &'server Notices,
    /// What it was started with.
    pub(crate) started: Configuration,
}

impl Hangups {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
        })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        if self.signal.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_async, reason = "it is waited for where there are signals")]
    async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}

impl Running<'_> {
    /// Reloads at each request. Does not end by itself.
    pub(crate) async fn reload_on(self, hangups: &mut Hangups) {
        let mut latest = None;
        loop {
            hangups.next().await;
            self.notices.tell(State::Reloading);
            self.renew_certificate().await;
            if let Some(applied) = self.reload(latest.as_ref().unwrap_or(&self.started)).await {
                latest = Some(applied);
            }
            self.notices.tell(State::Ready);
        }
    }

    async fn renew_certificate(&self) {
        if let Some(tls) = self.tls {
            tls.renew().await;
        }
    }

    /// Reads the file again and applies what can be changed. Returns what is in force then, or `None` if the file cannot be
    /// used.
    async fn reload(&self, before: &Configuration) -> Option<Configuration> {
        match self.read_and_apply().await {
            Ok(now) => {
                self.tell(before, &now);
                Some(now)
            }
            Err(reason) => {
                tracing::error!("the configuration is not reloaded and stays as it was: {reason}");
                None
            }
        }
    }

    async fn read_and_apply(&self) -> Result<Configuration, String> {
        let (arguments, configuration) =
            tokio::task::spawn_blocking(read_again).await.map_err(|error| error.to_string())??;
        arguments.apply(self.app, self.root_url).map_err(|error| error.to_string())?;
        arguments.log.apply(self.log);
        Ok(configuration)
    }

    /// Logs what has changed, in one line.
    fn tell(&self, before: &Configuration, now: &Configuration) {
        let changed: Vec<_> = now.differences(before).filter(|name| CHANGEABLE.contains(name)).collect();
        let waiting: Vec<_> = now.differences(&self.started).filter(|name| !CHANGEABLE.contains(name)).collect();
        let changed = if changed.is_empty() { "no change that can be applied".to_owned() } else { changed.join(", ") };
        if waiting.is_empty() {
            tracing::info!("the configuration is reloaded: {changed}");
        } else {
            let need = if waiting.len() == 1 { "needs" } else { "need" };
            tracing::warn!("the configuration is reloaded: {changed}; {} {need} a restart", waiting.join(", "));
        }
        if let Some(sentence) = now.exposed() {
            tracing::warn!("{sentence}");
        }
    }
}

/// Reads the arguments of this process with what the file says now.
fn read_again() -> Result<(Box<Arguments>, Configuration), String> {
    let arguments: Vec<_> = std::env::args_os().collect();
    match read(&arguments).map_err(|refused| refused.to_string())? {
        (Command::Serve(arguments), configuration) => Ok((arguments, configuration)),
        _ => Err("the command is not `serve`".to_owned()),
    }
}
