//! [`SmtpSink`]: a mail server that stores the mails that it receives.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::BASE64;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::ReceivedMail;

/// The timeout for a mail that a test waits for.
const PATIENCE: Duration = Duration::from_secs(10);

const MAX_LINE: u64 = 64 * 1024;
const MAX_MAIL: usize = 1024 * 1024;

/// An SMTP server on a free port of this machine, which stores all mails. Dropping it stops the server.
///
/// ```
/// use bolide::mail::{Mail, MailKind, Mailer, SmtpMailer};
/// use bolide::testing::SmtpSink;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sink = SmtpSink::start().await?;
/// let mailer = SmtpMailer::new(&sink.url(), "no-reply@example.com".parse()?)?;
/// let mail = Mail::new(vec!["alice@example.com".into()], MailKind::Test, "Grüße", "Hallo!");
/// mailer.deliver(&mail).await?;
///
/// assert_eq!(sink.wait_for("alice@example.com").await.subject, "Grüße");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SmtpSink {
    address: SocketAddr,
    state: watch::Sender<State>,
    listening: AbortHandle,
}

/// What the sink does with mails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SinkBehaviour {
    /// It accepts them. This is the default.
    #[default]
    Accept,
    /// It accepts them after this delay.
    Delay(Duration),
    /// It rejects all recipients with 550.
    Refuse,
    /// It rejects mails temporarily with 451.
    TryLater,
    /// It rejects all credentials with 535.
    RefuseCredentials,
    /// It closes the connection in the middle of a mail.
    BreakOff,
}

#[derive(Debug, Default)]
struct State {
    behaviour: SinkBehaviour,
    connections: usize,
    attempts: usize,
    credentials: Option<String>,
    mails: Vec<ReceivedMail>,
}

impl SmtpSink {
    /// Listens on a free port.
    ///
    /// # Errors
    /// Returns an error if there is no free port.
    pub async fn start() -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Listens on an address.
    ///
    /// # Errors
    /// Returns an error if the address is in use.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = watch::Sender::new(State::default());
        let listening = tokio::spawn(listen(listener, state.clone())).abort_handle();
        Ok(Self { address, state, listening })
    }

    /// Returns the URL of the sink, in the form that `SmtpMailer` accepts.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://{}?tls=none", self.address)
    }

    /// Sets what the sink does with mails from now on.
    pub fn behave(&self, behaviour: SinkBehaviour) {
        self.state.send_modify(|state| state.behaviour = behaviour);
    }

    /// Returns the mails that were received and not taken out by `wait_for`.
    #[must_use]
    pub fn received(&self) -> Vec<ReceivedMail> {
        self.state.borrow().mails.clone()
    }

    /// Returns the number of connections that were opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.borrow().connections
    }

    /// Returns the last credentials, in the form of `AUTH PLAIN`: a zero byte, the user, a zero byte, the password.
    #[must_use]
    pub fn credentials(&self) -> Option<String> {
        self.state.borrow().credentials.clone()
    }

    /// Waits for a mail to this address, and takes the oldest one out of the sink.
    ///
    /// # Panics
    /// Panics if there is no mail within ten seconds.
    pub async fn wait_for(&self, address: &str) -> ReceivedMail {
        let Ok(mail) = timeout(PATIENCE, self.next_for(address)).await else {
            panic!("no mail to {address} within {PATIENCE:?}; received: {:?}", self.received());
        };
        mail
    }

    /// Waits for a mail to this address without a timeout, and takes the oldest one out of the sink.
    pub async fn next_for(&self, address: &str) -> ReceivedMail {
        let mut changes = self.state.subscribe();
        loop {
            if let Some(mail) = self.take(address) {
                return mail;
            }
            drop(changes.changed().await);
        }
    }

    /// Waits until a mail was offered this many times, whether it was accepted or not.
    ///
    /// # Panics
    /// Panics if it was not within ten seconds.
    pub async fn wait_for_attempts(&self, count: usize) {
        let mut changes = self.state.subscribe();
        let reached = timeout(PATIENCE, changes.wait_for(|state| state.attempts >= count)).await.is_ok();
        assert!(reached, "{} attempts within {PATIENCE:?}, not {count}", self.state.borrow().attempts);
    }

    fn take(&self, address: &str) -> Option<ReceivedMail> {
        let mut taken = None;
        self.state.send_if_modified(|state| {
            let is_it = |mail: &ReceivedMail| mail.to.iter().any(|to| to == address);
            taken = state.mails.iter().position(is_it).map(|position| state.mails.remove(position));
            false
        });
        taken
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, state: watch::Sender<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        state.send_modify(|state| state.connections += 1);
        let dialogue =
            Dialogue { stream: BufReader::new(stream), state: state.clone(), from: String::new(), to: vec![] };
        // An error of one connection ends only that connection.
        tokio::spawn(async move { drop(dialogue.run().await) });
    }
}

/// One connection.
struct Dialogue {
    stream: BufReader<TcpStream>,
    state: watch::Sender<State>,
    from: String,
    to: Vec<String>,
}

impl Dialogue {
    async fn run(mut self) -> io::Result<()> {
        self.reply("220 sink.example.com ESMTP").await?;
        loop {
            let line = self.line().await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let answer = match verb.as_str() {
                "EHLO" => "250-sink.example.com\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN",
                "HELO" | "NOOP" => "250 well",
                "AUTH" => self.credentials(&line),
                "RSET" => self.begin(String::new()),
                "MAIL" => self.begin(path(&line)),
                "RCPT" => self.recipient(path(&line)),
                "DATA" => self.data().await?,
                "QUIT" => return self.reply("221 farewell").await,
                _ => "502 not known here",
            };
            self.reply(answer).await?;
        }
    }

    fn behaviour(&self) -> SinkBehaviour {
        self.state.borrow().behaviour
    }

    fn credentials(&self, line: &str) -> &'static str {
        let shown = line.trim_end().rsplit(' ').next().unwrap_or_default();
        let shown = BASE64.decode(shown.as_bytes()).unwrap_or_default();
        self.state.send_modify(|state| state.credentials = String::from_utf8(shown).ok());
        match self.behaviour() {
            SinkBehaviour::RefuseCredentials => "535 not these credentials",
            _ => "235 welcome",
        }
    }

    fn begin(&mut self, from: String) -> &'static str {
        self.from = from;
        self.to.clear();
        "250 well"
    }

    fn recipient(&mut self, to: String) -> &'static str {
        self.state.send_modify(|state| state.attempts += 1);
        match self.behaviour() {
            SinkBehaviour::Refuse => "550 no such user here",
            SinkBehaviour::TryLater => "451 try again later",
            _ => {
                self.to.push(to);
                "250 well"
            }
        }
    }

    async fn data(&mut self) -> io::Result<&'static str> {
        self.reply("354 go ahead").await?;
        let source = self.source().await?;
        if let SinkBehaviour::Delay(time) = self.behaviour() {
            sleep(time).await;
        }
        let mail = ReceivedMail::read(&self.from, &self.to, &source);
        self.state.send_modify(|state| state.mails.push(mail));
        Ok("250 taken")
    }

    /// Reads the mail up to the line with the dot.
    async fn source(&mut self) -> io::Result<String> {
        let mut source = String::new();
        loop {
            let line = self.line().await?;
            if self.behaviour() == SinkBehaviour::BreakOff || source.len() > MAX_MAIL {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if line == "." {
                return Ok(source);
            }
            source.push_str(line.strip_prefix('.').unwrap_or(&line));
            source.push_str("\r\n");
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let length = (&mut self.stream).take(MAX_LINE).read_line(&mut line).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    async fn reply(&mut self, answer: &str) -> io::Result<()> {
        self.stream.write_all(format!("{answer}\r\n").as_bytes()).await
    }
}

/// The address in `MAIL FROM:<a@example.com> …`.
fn path(line: &str) -> String {
    let (_, rest) = line.split_once('<').unwrap_or_default();
    let (address, _) = rest.split_once('>').unwrap_or_default();
    address.to_owned()
}
