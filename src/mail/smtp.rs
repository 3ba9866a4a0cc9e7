//! [`SmtpMailer`]: hands mail to a mail server.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt as _;
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, Error as SmtpError, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use parking_lot::Mutex;
use tokio::time::timeout;

use super::compose::compose;
use super::smtp_url::{SmtpUrl, SmtpUrlError};
use super::{Delivery, Mail, MailError, Mailer, Sender};

/// How long the server may take for a mail, from the connection to its last word.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long the farewell to a server may take that has not answered.
const FAREWELL: Duration = Duration::from_secs(1);

/// So many connections are kept for the next mail, and for so long.
const CONNECTIONS: u32 = 4;
const IDLE: Duration = Duration::from_secs(30);

/// What servers answer to credentials that they do not take, or to none. Operators mend that, and the mail goes out then.
const REFUSED_CREDENTIALS: [u16; 4] = [530, 534, 535, 538];

/// Delivers mail over SMTP, with a few connections that are kept for the next mail.
///
/// ```
/// use bolide::mail::SmtpMailer;
///
/// let sender = "Example <no-reply@example.com>".parse()?;
/// let mailer = SmtpMailer::new("smtp://user:password@mail.example.com:587?tls=required", sender)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SmtpMailer {
    server: Arc<MailServer>,
}

impl SmtpMailer {
    /// Delivers to the server at this URL, from this sender.
    ///
    /// | URL | encryption | port, if none is given |
    /// |---|---|---|
    /// | `smtps://…` | from the first byte | 465 |
    /// | `smtp://…?tls=required` | `STARTTLS`, or no mail is sent | 587 |
    /// | `smtp://…`, `smtp://…?tls=opportunistic` | `STARTTLS` if the server offers it | 587 |
    /// | `smtp://…?tls=none` | none: for a server on the same machine | 25 |
    ///
    /// Somebody between this server and the mail server can take the offer of `STARTTLS` away; with a password in the URL,
    /// `tls=required` is the wise choice. User and password are percent-encoded.
    ///
    /// # Errors
    /// A URL that names no mail server.
    pub fn new(url: &str, sender: Sender) -> Result<Self, SmtpUrlError> {
        let pool = PoolConfig::new().max_size(CONNECTIONS).idle_timeout(IDLE);
        let builder = url.parse::<SmtpUrl>()?.builder()?.pool_config(pool);
        Ok(Self::build(builder, sender, TIMEOUT))
    }

    /// How long the server may take for a mail, if not 30 seconds.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self::build(self.server.builder.clone(), self.server.sender.clone(), timeout)
    }

    fn build(builder: AsyncSmtpTransportBuilder, sender: Sender, timeout: Duration) -> Self {
        let builder = builder.timeout(Some(timeout));
        Self { server: Arc::new(MailServer { builder, sender, timeout, transport: Mutex::default() }) }
    }
}

impl Mailer for SmtpMailer {
    fn deliver<'mail>(&'mail self, mail: &'mail Mail) -> Delivery<'mail> {
        async {
            let message = compose(mail, &self.server.sender)?;
            let server = Arc::clone(&self.server);
            // On a task of its own, so that a dialogue is never left half-way when the caller goes away.
            let delivery = tokio::spawn(async move { server.deliver(message).await });
            delivery.await.unwrap_or_else(|_| Err(MailError::Temporary("the delivery was interrupted".to_owned())))
        }
        .boxed()
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SmtpMailer").field("sender", &self.server.sender).finish_non_exhaustive()
    }
}

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// The server and the connections to it.
struct MailServer {
    builder: AsyncSmtpTransportBuilder,
    sender: Sender,
    timeout: Duration,
    /// Made with the first mail, since that needs a runtime.
    transport: Mutex<Option<Arc<Transport>>>,
}

impl MailServer {
    async fn deliver(&self, message: Message) -> Result<(), MailError> {
        let transport = self.transport();
        let mut sending = pin!(transport.send(message));
        // The transport's own timeout is one for connecting alone.
        match timeout(self.timeout, sending.as_mut()).await {
            Ok(outcome) => outcome.map(drop).map_err(|error| judge(&error)),
            Err(_elapsed) => {
                self.part_with(&transport).await;
                Err(MailError::Temporary(format!("the mail server did not answer within {:?}", self.timeout)))
            }
        }
    }

    fn transport(&self) -> Arc<Transport> {
        Arc::clone(self.transport.lock().get_or_insert_with(|| Arc::new(self.builder.clone().build())))
    }

    /// Closes the connections. A dialogue that is given up half-way would go back among those that are kept, and the answer
    /// that comes late would be taken for the one to the next mail.
    async fn part_with(&self, transport: &Arc<Transport>) {
        self.transport.lock().take_if(|current| Arc::ptr_eq(current, transport));
        drop(timeout(FAREWELL, transport.shutdown()).await);
    }
}

/// Only a server that has understood the mail and says no says it for ever.
fn judge(error: &SmtpError) -> MailError {
    let reason = describe(error);
    let has_refused_credentials = error.status().is_some_and(|code| REFUSED_CREDENTIALS.contains(&code.into()));
    if error.is_permanent() && !has_refused_credentials {
        MailError::Permanent(reason)
    } else {
        MailError::Temporary(reason)
    }
}

/// The error with its causes, in one line.
fn describe(error: &SmtpError) -> String {
    error.to_string().replace(char::is_control, " ")
}
