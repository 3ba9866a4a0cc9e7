//! [`CodeSource`]: where codes of the second factor come from.

use std::io::{self, Write as _};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bolide::client::{Challenge, Subject, TwoFactorMethod};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::output::harmless;
use crate::terminal::{Typing, ask};

/// How long a command may go on printing a code that was refused: longer than an authenticator app shows one.
const FRESH_CODE_PATIENCE: Duration = Duration::from_mins(1);
const FRESH_CODE_INTERVAL: Duration = Duration::from_secs(1);

/// Where the code that a challenge asks for comes from.
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
