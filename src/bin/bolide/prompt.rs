//! [`CodeSource`]: where second-factor codes come from.

use std::io::{self, Write as _};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bolide::client::{Challenge, Subject, TwoFactorMethod};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::output::harmless;
use crate::terminal::{Typing, ask};

/// How long to run a command again that prints a rejected code: longer than an authenticator app shows one.
const FRESH_CODE_PATIENCE: Duration = Duration::from_mins(1);
const FRESH_CODE_INTERVAL: Duration = Duration::from_secs(1);

/// Where the code that a challenge asks for comes from.
#[derive(Clone, Debug)]
pub(crate) enum CodeSource {
    /// One code, for the first challenge only.
    Given(Arc<Mutex<Option<String>>>),
    /// A command that is run for each challenge and prints a code.
    Command(CodeCommand),
    /// A prompt on the terminal.
    Terminal,
}

/// A command that prints codes, and the last code that it printed: a code is not used twice.
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

    /// Returns the code for a challenge, or `None` to cancel.
    pub(crate) async fn answer(self, challenge: Challenge) -> Option<String> {
        match self {
            Self::Given(code) => code.lock().take(),
            Self::Command(command) => command.fresh_code(challenge.method()).await,
            Self::Terminal => {
                let typing = match challenge.method() {
                    TwoFactorMethod::Password => Typing::Hidden,
                    TwoFactorMethod::Totp | TwoFactorMethod::Email | TwoFactorMethod::WebAuthn => Typing::Shown,
                };
                ask(question(&challenge), typing).await.unwrap_or_else(|_| no_terminal())
            }
        }
    }
}

fn no_terminal() -> Option<String> {
    // Standard error may be closed; the exit code tells as well.
    let _closed = writeln!(io::stderr(), "there is no terminal to prompt for the code; use --code or --code-command");
    None
}

impl CodeCommand {
    /// Returns a code that was not used before. The next code of an authenticator may take half a minute.
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

    /// Returns what the command prints, or `None` if it fails or prints nothing.
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
        TwoFactorMethod::WebAuthn => "for your passkey".to_owned(),
    };
    let elsewhere = challenge.passkey_site().map(harmless);
    let elsewhere =
        elsewhere.map(|site| format!("; your passkey works in a browser, at https://{site}")).unwrap_or_default();
    let wrong = if challenge.is_repeated() { "The code is wrong. " } else { "" };
    format!("{wrong}{what} {how} (empty to cancel{elsewhere}): ")
}
