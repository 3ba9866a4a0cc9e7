//! Asking the person at the terminal: for passwords, which are not shown while they are typed, and for codes.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bolide::client::{Challenge, Subject, TwoFactorMethod};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::output::harmless;

/// How long a command may go on printing a code that was refused: longer than an authenticator app shows one.
const FRESH_CODE_PATIENCE: Duration = Duration::from_mins(1);
const FRESH_CODE_INTERVAL: Duration = Duration::from_secs(1);

/// Where codes of the second factor come from.
#[derive(Clone, Debug)]
pub(crate) enum CodeSource {
    /// One code, for the first challenge; after that there is none.
    Given(Arc<Mutex<Option<String>>>),
    /// A command that prints a code whenever one is asked for.
    Command(CodeCommand),
    /// The person at the terminal.
    Terminal,
}

/// A command that prints codes, and the one that it printed last: a code is never shown twice.
#[derive(Clone, Debug)]
pub(crate) struct CodeCommand {
    command: String,
    last: Arc<Mutex<Option<String>>>,
}

/// Whether what is typed can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typing {
    Shown,
    Hidden,
}

impl CodeSource {
    pub(crate) fn given(code: &str) -> Self {
        Self::Given(Arc::new(Mutex::new(Some(code.to_owned()))))
    }

    pub(crate) fn command(command: &str) -> Self {
        Self::Command(CodeCommand { command: command.to_owned(), last: Arc::default() })
    }

    /// The code for a challenge; nothing cancels.
    pub(crate) async fn answer(self, challenge: Challenge) -> Option<String> {
        match self {
            Self::Given(code) => code.lock().take(),
            Self::Command(command) => command.fresh_code(challenge.method()).await,
            Self::Terminal => {
                let typing = match challenge.method() {
                    TwoFactorMethod::Password => Typing::Hidden,
                    TwoFactorMethod::Totp | TwoFactorMethod::Email => Typing::Shown,
                };
                ask(question(&challenge), typing).await.unwrap_or_else(|_| no_terminal())
            }
        }
    }
}

fn no_terminal() -> Option<String> {
    // Standard error may be closed; the exit code says it as well.
    let _closed = writeln!(io::stderr(), "there is no terminal to ask for the code; use --code or --code-command");
    None
}

impl CodeCommand {
    /// A code that was not shown before. An authenticator's next one may take half a minute.
    async fn fresh_code(&self, method: TwoFactorMethod) -> Option<String> {
        let give_up = Instant::now() + FRESH_CODE_PATIENCE;
        loop {
            let code = self.run().await?;
            let is_fresh = self.last.lock().replace(code.clone()).is_none_or(|last| last != code);
            if is_fresh {
                return Some(code);
            }
            if method != TwoFactorMethod::Totp || Instant::now() > give_up {
                return None;
            }
            sleep(FRESH_CODE_INTERVAL).await;
        }
    }

    /// What the command prints, if it goes well.
    async fn run(&self) -> Option<String> {
        let (shell, argument) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        let mut process = std::process::Command::new(shell);
        process.arg(argument).arg(&self.command).stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = tokio::task::spawn_blocking(move || process.output()).await.ok()?.ok()?;
        let code = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !code.is_empty()).then_some(code)
    }
}

fn question(challenge: &Challenge) -> String {
    let what = match challenge.subject() {
        Subject::Method(method) => format!("`{method}` asks"),
        _ => "The login asks".to_owned(),
    };
    let whose = challenge.email_or_username().map(|whose| format!(" sent to {}", harmless(whose))).unwrap_or_default();
    let how = match challenge.method() {
        TwoFactorMethod::Totp => "for a code of your authenticator app, or a backup code".to_owned(),
        TwoFactorMethod::Email => format!("for the code{whose}"),
        TwoFactorMethod::Password => "for your password".to_owned(),
    };
    let wrong = if challenge.is_repeated() { "That was not right. " } else { "" };
    format!("{wrong}{what} {how} (empty to cancel): ")
}

/// Asks for a line. Nothing is an empty line, or the end of what can be read.
pub(crate) async fn ask(question: String, typing: Typing) -> io::Result<Option<String>> {
    tokio::task::spawn_blocking(move || ask_on_terminal(&question, typing)).await.map_err(io::Error::other)?
}

fn ask_on_terminal(question: &str, typing: Typing) -> io::Result<Option<String>> {
    let terminal = Terminal::open()?;
    let hidden = (typing == Typing::Hidden).then(|| HiddenTyping::on(&terminal)).transpose()?;
    write!(io::stderr(), "{question}")?;
    io::stderr().flush()?;
    let line = terminal.read_line();
    if hidden.is_some() {
        writeln!(io::stderr())?;
    }
    let line = line?;
    let text = line.trim_end_matches(['\r', '\n']);
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Where the person is: standard input, or what controls this process if standard input is something else.
enum Terminal {
    Input,
    Device(File),
}

impl Terminal {
    fn open() -> io::Result<Self> {
        if io::stdin().is_terminal() {
            return Ok(Self::Input);
        }
        File::open("/dev/tty").map(Self::Device)
    }

    fn read_line(&self) -> io::Result<String> {
        let mut line = String::new();
        match self {
            Self::Input => io::stdin().lock().read_line(&mut line)?,
            Self::Device(device) => BufReader::new(device).read_line(&mut line)?,
        };
        Ok(line)
    }
}

#[cfg(unix)]
use unix::HiddenTyping;

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
    use std::sync::Mutex;

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    use super::Terminal;

    /// What to put right if the program ends while typing is hidden.
    static BEFORE: Mutex<Option<(OwnedFd, Termios)>> = Mutex::new(None);

    /// What is typed is not shown until this is dropped.
    pub(super) struct HiddenTyping(());

    impl HiddenTyping {
        pub(super) fn on(terminal: &Terminal) -> io::Result<Self> {
            let input = io::stdin();
            let device: BorrowedFd<'_> = match terminal {
                Terminal::Input => input.as_fd(),
                Terminal::Device(device) => device.as_fd(),
            };
            let before = tcgetattr(device)?;
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            tcsetattr(device, OptionalActions::Flush, &hidden)?;
            if let Ok(mut kept) = BEFORE.lock() {
                *kept = Some((device.try_clone_to_owned()?, before));
            }
            Ok(Self(()))
        }
    }

    impl Drop for HiddenTyping {
        fn drop(&mut self) {
            show_typing();
        }
    }

    /// Makes typing visible again.
    pub(crate) fn show_typing() {
        let kept = BEFORE.lock().ok().and_then(|mut kept| kept.take());
        if let Some((device, before)) = kept {
            // A terminal that is gone needs nothing put right.
            let _gone = tcsetattr(&device, OptionalActions::Now, &before);
        }
    }
}

/// Makes typing visible again, should the program end while it is not.
pub(crate) fn leave_terminal_as_it_was() {
    #[cfg(unix)]
    unix::show_typing();
}

#[cfg(not(unix))]
struct HiddenTyping;

#[cfg(not(unix))]
impl HiddenTyping {
    fn on(_: &Terminal) -> io::Result<Self> {
        Ok(Self)
    }
}
