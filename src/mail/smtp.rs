//! [`SmtpMailer`]: delivers mails to a mail server.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt as _;
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, Error as SmtpError, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use parking_lot::Mutex;
use tokio::time::timeout;

use super::compose::{Reader, compose};
use super::smtp_url::{SmtpUrl, SmtpUrlError};
use super::{Delivery, Mail, MailError, Mailer, Sender};

/// The default timeout of a delivery, including the connection.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The timeout for closing the connection to a server that has not answered.
const FAREWELL: Duration = Duration::from_secs(1);

/// The maximum number of connections, and how long an idle one is kept for the next mail.
const CONNECTIONS: u32 = 4;
const IDLE: Duration = Duration::from_secs(30);

/// The replies of servers that reject or require credentials. They count as temporary, since operators can correct the
/// credentials.
const REFUSED_CREDENTIALS: [u16; 4] = [530, 534, 535, 538];

/// Delivers mails over SMTP. A few connections are kept open for the next mails.
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
    /// Returns a mailer that delivers to the server at this URL.
    ///
    /// | URL | encryption | default port |
    /// |---|---|---|
    /// | `smtps://…` | TLS from the first byte | 465 |
    /// | `smtp://…?tls=required` | `STARTTLS`; mails are not sent without it | 587 |
    /// | `smtp://…`, `smtp://…?tls=opportunistic` | `STARTTLS` if the server offers it | 587 |
    /// | `smtp://…?tls=none` | none, for a server on the same machine | 25 |
    ///
    /// An attacker on the way to the mail server can suppress the offer of `STARTTLS`, so use `tls=required` if the URL
    /// contains a password. User name and password are percent-encoded.
    ///
    /// # Errors
    /// Returns an error if the URL is malformed.
    pub fn new(url: &str, sender: Sender) -> Result<Self, SmtpUrlError> {
        let pool = PoolConfig::new().max_size(CONNECTIONS).idle_timeout(IDLE);
        let builder = url.parse::<SmtpUrl>()?.builder()?.pool_config(pool);
        Ok(Self::build(builder, sender, TIMEOUT))
    }

    /// Sets the timeout of a delivery. Default: 30 seconds.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self::build(self.server.builder.clone(), self.server.sender.clone(), timeout)
    }

    /// Connects to the mail server as a delivery does, with TLS and the user of the URL, and sends no mail.
    ///
    /// # Errors
    /// Returns the error that a delivery would have.
    pub async fn check(&self) -> Result<(), MailError> {
        self.server.check().await
    }

    fn build(builder: AsyncSmtpTransportBuilder, sender: Sender, timeout: Duration) -> Self {
        let builder = builder.timeout(Some(timeout));
        Self { server: Arc::new(MailServer { builder, sender, timeout, transport: Mutex::default() }) }
    }
}

impl Mailer for SmtpMailer {
    fn deliver<'mail>(&'mail self, mail: &'mail Mail) -> Delivery<'mail> {
        async {
            let message = compose(mail, &self.server.sender, Reader::MailServer)?;
            let server = Arc::clone(&self.server);
            // On a task of its own, so that a dialogue is completed also if the caller is dropped.
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

/// The mail server and the connections to it.
struct MailServer {
    builder: AsyncSmtpTransportBuilder,
    sender: Sender,
    timeout: Duration,
    /// Created with the first mail, since that needs a runtime.
    transport: Mutex<Option<Arc<Transport>>>,
}

impl MailServer {
    async fn deliver(&self, message: Message) -> Result<(), MailError> {
        let transport = self.transport();
        let mut sending = pin!(transport.send(message));
        // The timeout of the transport itself applies only to connecting.
        match timeout(self.timeout, sending.as_mut()).await {
            Ok(outcome) => outcome.map(drop).map_err(|error| judge(&error)),
            Err(_elapsed) => {
                self.part_with(&transport).await;
                Err(self.is_late())
            }
        }
    }

    async fn check(&self) -> Result<(), MailError> {
        let transport = self.transport();
        let answered = timeout(self.timeout, transport.test_connection()).await;
        self.part_with(&transport).await;
        match answered {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(MailError::Temporary("the mail server has closed the connection".to_owned())),
            Ok(Err(error)) => Err(judge(&error)),
            Err(_elapsed) => Err(self.is_late()),
        }
    }

    fn is_late(&self) -> MailError {
        MailError::Temporary(format!("the mail server did not answer within {:?}", self.timeout))
    }

    fn transport(&self) -> Arc<Transport> {
        Arc::clone(self.transport.lock().get_or_insert_with(|| Arc::new(self.builder.clone().build())))
    }

    /// Closes the connections. Otherwise the connection of an interrupted dialogue would be used again, and its late reply
    /// would be taken for the reply to the next mail.
    async fn part_with(&self, transport: &Arc<Transport>) {
        self.transport.lock().take_if(|current| Arc::ptr_eq(current, transport));
        drop(timeout(FAREWELL, transport.shutdown()).await);
    }
}

/// Returns whether a failure is permanent: it is if the server has rejected the mail itself with a permanent error.
fn judge(error: &SmtpError) -> MailError {
    let reason = describe(error);
    let has_refused_credentials = error.status().is_some_and(|code| REFUSED_CREDENTIALS.contains(&code.into()));
    if error.is_permanent() && !has_refused_credentials {
        MailError::Permanent(reason)
    } else {
        MailError::Temporary(reason)
    }
}

/// Returns the error with its causes in one line.
fn describe(error: &SmtpError) -> String {
    error.to_string().replace(char::is_control, " ")
}
