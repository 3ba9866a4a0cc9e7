//! `bolide serve`: serves accounts, settings and REST on an embedded database without any configuration, or on one that nodes share.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bolide::accounts::{Accounts, AccountsHandle, InvalidRelyingParty, RelyingParty};
use bolide::clock::SystemClock;
use bolide::mail::{FileMailer, LogMailer, LoggedText, Sender, SmtpMailer};
use bolide::store::{User, UserFilter};
use bolide::{AllowedOrigin, App, InvalidOrigin, TrustedProxy, shutdown_signals};

use super::cluster::ClusterArguments;
use super::configuration::Configuration;
use super::data::DataArguments;
use super::descriptors;
use super::limits::{LimitArguments, Seconds};
use super::listen::{ListenArguments, root_url};
use super::logging::LogArguments;
use super::metrics::{MetricsArguments, serve_beside};
use super::reload::{Hangups, Running};
use super::site::SiteArguments;
use super::systemd::{Notices, State};

/// The outcome of a command; an error is printed as a sentence.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// File in TOML with the flags that follow, such as `max-connections = 1000`; flags and variables override it
    #[arg(long, value_name = "FILE", env = "BOLIDE_CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    listen: ListenArguments,

    #[command(flatten)]
    pub(crate) data: DataArguments,

    #[command(flatten)]
    pub(crate) site: SiteArguments,

    /// URL of the mail server: smtp://[USER:PASSWORD@]HOST[:PORT]
    #[arg(long, value_name = "URL", env = "MAIL_URL", hide_env_values = true)]
    pub(crate) mail_url: Option<String>,

    /// Directory in which mails are stored as files, instead of a mail server
    #[arg(long, value_name = "DIRECTORY", env = "BOLIDE_MAIL_DIR")]
    pub(crate) mail_dir: Option<PathBuf>,

    /// Sender of mails
    #[arg(long, env = "MAIL_FROM", default_value = "Bolide <no-reply@localhost>")]
    pub(crate) mail_from: String,

    /// Number of proxies in front of this server, as Meteor counts them
    #[arg(long, value_name = "NUMBER", env = "HTTP_FORWARDED_COUNT", default_value_t = 0)]
    forwarded_count: usize,

    /// Proxy whose forwarding headers are trusted, as an address or a network such as 10.0.0.0/8; repeat it or separate
    /// several by commas
    #[arg(long, value_name = "CIDR", env = "BOLIDE_TRUSTED_PROXIES", value_delimiter = ',')]
    trusted_proxy: Vec<TrustedProxy>,

    /// Origin of pages that may open sessions, such as `https://chat.example.com`, in addition to that of the root URL;
    /// repeat it or separate several by commas; default: all origins
    #[arg(long, value_name = "ORIGIN", env = "BOLIDE_ALLOWED_ORIGINS", value_delimiter = ',')]
    allowed_origins: Vec<AllowedOrigin>,

    /// Domain to which passkeys belong, such as `example.com` for pages of its subdomains; default: that of the root URL.
    /// Passkeys that were registered for another domain cannot be used any more
    #[arg(long, value_name = "DOMAIN", env = "BOLIDE_PASSKEY_DOMAIN", value_parser = passkey_domain)]
    passkey_domain: Option<String>,

    /// Origin of pages on which passkeys may be used, in addition to that of the root URL; repeat it or separate several by
    /// commas
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "BOLIDE_PASSKEY_ORIGINS",
        value_delimiter = ',',
        value_parser = passkey_origin
    )]
    passkey_origins: Vec<String>,

    /// Seconds from which a call is among the slow calls that admins are shown
    #[arg(long, env = "BOLIDE_SLOW_CALL", value_name = "SECONDS", default_value_t = Seconds(Duration::from_secs(1)))]
    slow_call: Seconds,

    #[command(flatten)]
    pub(crate) log: LogArguments,

    #[command(flatten)]
    metrics: MetricsArguments,

    #[command(flatten)]
    cluster: ClusterArguments,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,
}

pub(crate) async fn run(arguments: Arguments, configuration: Configuration) -> Outcome {
    let log = arguments.log.start()?;
    let mut hangups = Hangups::listen()?;
    if let Some(sentence) = configuration.exposed() {
        tracing::warn!("{sentence}");
    }
    let limits = descriptors::fit(arguments.limits.limits(), descriptors::raise());
    let tls = arguments.listen.tls()?;
    let listeners = arguments.listen.listeners(tls.as_ref()).await?;
    let metrics = arguments.metrics.listen().await?;
    let root_url = arguments.site.root_url.clone().unwrap_or_else(|| root_url(&listeners, tls.is_some()));
    arguments.data.create_directory()?;
    let accounts = arguments.data.open().await?.site(&arguments.site.site_name, &root_url);
    let accounts = arguments.with_passkeys(arguments.with_mailer(accounts)?, &root_url)?;
    let app = App::builder()
        .accounts(accounts)
        .web_pages()
        .limits(limits)
        .slow_call(arguments.slow_call.0)
        .heartbeat(arguments.limits.heartbeat());
    let app = arguments.cluster.connect(app, arguments.data.directory.shared_database())?.build()?;
    arguments.apply(&app, &root_url)?;
    if let Some(accounts) = app.accounts() {
        welcome_first_admin(&accounts).await?;
    }
    let (first, second) = shutdown_signals();
    let mut first = Box::pin(first);
    // Installs the signal handlers: a program that reads the line may send a signal at once.
    let _not_yet = futures::poll!(&mut first);
    // With port 0 the system chooses the port.
    for listener in &listeners {
        writeln!(std::io::stdout(), "listening on {listener}")?;
    }
    let notices = Notices::from_environment();
    notices.tell(State::Ready);
    let running = Running {
        app: &app,
        log: &log,
        tls: tls.as_ref(),
        root_url: &root_url,
        notices: &notices,
        started: configuration,
    };
    let first = async {
        tokio::select! {
            () = first => {}
            () = running.reload_on(&mut hangups) => {}
        }
        notices.tell(State::Stopping);
    };
    let outcome = tokio::select! {
        () = serve_beside(&app, metrics, app.serve_all(listeners, first)) => Ok(()),
        () = second => Err("a second signal has ended the server at once; running calls were not answered".into()),
    };
    log.end().await;
    outcome
}

/// Prints to standard error why a command failed.
pub(crate) fn report(outcome: Outcome) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    // Standard error may be closed; the exit code tells as well.
    let _closed = writeln!(std::io::stderr(), "bolide: {error}");
    ExitCode::FAILURE
}

impl Arguments {
    /// Sets what can be changed while the app serves. If it cannot be used, nothing changes.
    pub(crate) fn apply(&self, app: &App, root_url: &str) -> Outcome {
        let origins = self.origins(root_url)?;
        app.replace_proxies(self.forwarded_count, self.trusted_proxy.iter().copied())?;
        app.replace_allowed_origins(origins);
        Ok(())
    }

    /// Returns the origins that may open sessions, with that of the server's own pages. An empty list allows all.
    fn origins(&self, root_url: &str) -> Result<Vec<AllowedOrigin>, InvalidOrigin> {
        let mut origins = self.allowed_origins.clone();
        if !origins.is_empty() {
            origins.push(origin_of(root_url).parse()?);
        }
        Ok(origins)
    }

    fn with_passkeys(&self, accounts: Accounts, root_url: &str) -> Result<Accounts, InvalidRelyingParty> {
        if self.passkey_domain.is_none() && self.passkey_origins.is_empty() {
            return Ok(accounts);
        }
        let domain = match &self.passkey_domain {
            Some(domain) => domain.clone(),
            None => RelyingParty::of_root_url(root_url)?.id().to_owned(),
        };
        let own = RelyingParty::new(&domain, [origin_of(root_url)]);
        let own = own.iter().flat_map(|own| own.origins().to_vec());
        let origins = self.passkey_origins.iter().cloned().chain(own);
        Ok(accounts.relying_party(RelyingParty::new(&domain, origins)?))
    }

    fn with_mailer(&self, accounts: Accounts) -> Result<Accounts, Box<dyn std::error::Error>> {
        let sender: Sender = self.mail_from.parse().map_err(|error| format!("{error} (--mail-from)"))?;
        Ok(match (&self.mail_url, &self.mail_dir) {
            (Some(url), _) => {
                accounts.mailer(SmtpMailer::new(url, sender).map_err(|error| format!("{error} (--mail-url)"))?)
            }
            (None, Some(directory)) => {
                std::fs::create_dir_all(directory).map_err(|error| {
                    let shown = directory.display();
                    format!("the directory {shown} cannot be created ({error}); --mail-dir sets another")
                })?;
                accounts.mailer(FileMailer::new(directory, sender, Arc::new(SystemClock)))
            }
            (None, None) => accounts.mailer(LogMailer::new(LoggedText::Withheld)),
        })
    }
}

/// Returns whether it is the admin that an earlier start created and whose password was not chosen yet.
fn is_waiting(user: &User) -> bool {
    user.username.as_deref() == Some("admin") && user.password.is_none()
}

/// Reads a domain to which passkeys can belong.
fn passkey_domain(text: &str) -> Result<String, InvalidRelyingParty> {
    RelyingParty::new(text, [format!("https://{text}")]).map(|site| site.id().to_owned())
}

/// Reads the origin of a page, or of an app as its platform writes it.
fn passkey_origin(text: &str) -> Result<String, InvalidOrigin> {
    let is_of_app = ["android:", "ios:"].iter().any(|scheme| text.starts_with(scheme));
    if is_of_app { Ok(text.to_owned()) } else { text.parse::<AllowedOrigin>().map(|origin| origin.to_string()) }
}

/// Returns the beginning of a URL up to its path.
fn origin_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    url[host..].find('/').map_or(url, |path| &url[..host + path])
}

/// Creates an admin if there are no users, and prints a link with which its password is chosen, once. Until then each
/// start prints another link.
async fn welcome_first_admin(accounts: &AccountsHandle) -> Outcome {
    let filter = UserFilter { limit: 1, ..Default::default() };
    let page = accounts.store().users(filter).await?;
    match page.users.first() {
        None => {
            let added = accounts.add_user("admin", &[], &["admin"], None).await;
            // Another node that has started at the same time may have added it.
            if accounts.find("admin").await.is_err() {
                added.map_err(|error| error.to_string())?;
            }
        }
        Some(only) if page.total == 1 && is_waiting(only) => {}
        Some(_) => return Ok(()),
    }
    let link = accounts.password_link("admin").await.map_err(|error| error.to_string())?;
    let mut output = std::io::stdout().lock();
    writeln!(
        output,
        "The user `admin` has no password yet. Choose it with this link, which works once and expires after 30 days:"
    )?;
    writeln!(output, "  {link}")?;
    output.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_a_url_is_what_precedes_its_path() {
        assert_eq!(origin_of("https://a.example/chat/"), "https://a.example");
        assert_eq!(origin_of("http://localhost:3000"), "http://localhost:3000");
    }
}
