//! The second factor: the server's challenge, the client's prompt, and the next attempt with its answer.
//!
//! A call, a login or a REST request that fails with `totp-required` or `totp-invalid` is a [`Challenge`]. The client
//! asks its prompt once per challenge and makes the attempt again with the [`Answer`], until the attempt succeeds,
//! fails with another error (such as `totp-max-attempts`), or the prompt cancels. A code is used for one attempt and
//! then discarded.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bolide_protocol::DdpError;
use bolide_protocol::error::ErrorCode;
use bolide_protocol::two_factor::{TwoFactorCode, TwoFactorMethod, typed_code};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::error::CallError;

/// A server's request for a second factor.
#[derive(Clone, Debug)]
pub struct Challenge {
    subject: Subject,
    method: TwoFactorMethod,
    is_repeated: bool,
    dialect: Dialect,
    details: Details,
    error: DdpError,
}

/// What a second factor is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A call of the method with this name.
    Method(String),
    /// A login.
    Login,
}

/// The answer to a challenge. `Debug` does not show the code, which is a secret.
///
/// A prompt usually returns a `String` or an `Option<String>`, which are converted to answers.
#[derive(Clone)]
pub struct Answer(Given);

#[derive(Clone)]
enum Given {
    Code { code: String, method: Option<TwoFactorMethod> },
    Cancel,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Details {
    method: Option<String>,
    code_generated: bool,
    email_or_username: Option<String>,
    available_methods: Vec<String>,
    webauthn: Option<serde_json::Value>,
}

impl Challenge {
    /// Returns what the second factor is asked for.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Returns the second factor that the server asks for. For [`Password`](TwoFactorMethod::Password) the answer is
    /// the password as the user types it; the client sends its hash.
    #[must_use]
    pub const fn method(&self) -> TwoFactorMethod {
        self.method
    }

    /// Returns whether the code of the previous attempt was wrong.
    #[must_use]
    pub const fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    /// Returns whether the server has just sent a code by email.
    #[must_use]
    pub const fn was_code_sent(&self) -> bool {
        self.details.code_generated
    }

    /// Returns the user whose second factor it is, for display and for requesting another mail, or `None` if the server
    /// does not tell.
    #[must_use]
    pub fn email_or_username(&self) -> Option<&str> {
        self.details.email_or_username.as_deref()
    }

    /// Returns the second factors that the user can use and this client supports.
    pub fn available_methods(&self) -> impl Iterator<Item = TwoFactorMethod> {
        self.details.available_methods.iter().filter_map(|name| TwoFactorMethod::parse(name))
    }

    /// Returns the options of `navigator.credentials.get`, in their JSON form, if a passkey may answer. The answer is a
    /// [code](Answer::code_for) for [`WebAuthn`](TwoFactorMethod::WebAuthn), as JSON text.
    #[must_use]
    pub const fn passkey_request(&self) -> Option<&serde_json::Value> {
        self.details.webauthn.as_ref()
    }

    /// Returns the domain on whose pages the user can show a passkey.
    #[must_use]
    pub fn passkey_site(&self) -> Option<&str> {
        self.passkey_request()?.get("rpId")?.as_str()
    }

    /// Returns the server's error, with all of its details.
    #[must_use]
    pub const fn error(&self) -> &DdpError {
        &self.error
    }

    /// Reads a challenge from an error. Returns `None` for other errors, and for a method that this client does not
    /// support.
    fn read(error: &DdpError, subject: &Subject) -> Option<Self> {
        let ErrorCode::Name(name) = &error.error else { return None };
        let details: Details =
            error.details.as_ref().and_then(|details| serde_json::from_str(details.get()).ok()).unwrap_or_default();
        let (is_repeated, dialect) = match name.as_str() {
            "totp-required" => (false, Dialect::RocketChat),
            "totp-invalid" => (true, Dialect::RocketChat),
            "no-2fa-code" if *subject == Subject::Login => (false, Dialect::Meteor),
            "invalid-2fa-code" if *subject == Subject::Login => (true, Dialect::Meteor),
            _ => return None,
        };
        let method = match dialect {
            Dialect::RocketChat => {
                // A passkey is offered beside another method, and is none that a person could be asked for.
                let method = TwoFactorMethod::parse(details.method.as_deref()?);
                method.filter(|method| *method != TwoFactorMethod::WebAuthn)?
            }
            Dialect::Meteor => TwoFactorMethod::Totp,
        };
        Some(Self { subject: subject.clone(), method, is_repeated, dialect, details, error: error.clone() })
    }

    fn proof(&self, code: &str, method: Option<TwoFactorMethod>) -> Proof {
        let method = method.unwrap_or(self.method);
        let code = match method {
            TwoFactorMethod::Password => sha256(code),
            TwoFactorMethod::Totp | TwoFactorMethod::Email => typed_code(code),
            TwoFactorMethod::WebAuthn => code.to_owned(),
        };
        Proof { code: TwoFactorCode::new(code, method.as_str()), dialect: self.dialect }
    }
}

impl Answer {
    /// Answers with a code, or with the password, for the method of the challenge.
    pub fn code(code: impl Into<String>) -> Self {
        Self(Given::Code { code: code.into(), method: None })
    }

    /// Answers with a code for another one of the available methods.
    pub fn code_for(method: TwoFactorMethod, code: impl Into<String>) -> Self {
        Self(Given::Code { code: code.into(), method: Some(method) })
    }

    /// Cancels: the attempt fails with [`CallError::TwoFactorCanceled`].
    #[must_use]
    pub const fn cancel() -> Self {
        Self(Given::Cancel)
    }
}

impl From<String> for Answer {
    fn from(code: String) -> Self {
        Self::code(code)
    }
}

impl From<&str> for Answer {
    fn from(code: &str) -> Self {
        Self::code(code)
    }
}

impl<Code: Into<Self>> From<Option<Code>> for Answer {
    fn from(code: Option<Code>) -> Self {
        code.map_or_else(Self::cancel, Into::into)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match &self.0 {
            Given::Code { .. } => "Answer::Code(…)",
            Given::Cancel => "Answer::Cancel",
        })
    }
}

/// Signs challenges with passkeys, such as those of a security key or of the platform.
///
/// ```
/// use std::sync::Mutex;
/// use bolide::client::{Client, PasskeyFuture, Passkeys};
/// use bolide::testing::PasskeyAuthenticator;
/// use serde_json::Value;
///
/// struct InSoftware(Mutex<PasskeyAuthenticator>);
///
/// impl Passkeys for InSoftware {
///     fn get<'request>(&'request self, request: &'request Value) -> PasskeyFuture<'request> {
///         Box::pin(async move { self.0.lock().ok()?.get(request).map(|answer| answer.to_string()) })
///     }
/// }
///
/// let passkeys = InSoftware(Mutex::new(PasskeyAuthenticator::new("https://chat.example.com")));
/// let builder = Client::builder("wss://chat.example.com").passkeys(passkeys);
/// ```
pub trait Passkeys: Send + Sync + 'static {
    /// Answers a request: the options of `navigator.credentials.get`, in their JSON form. Returns the answer as JSON text, or
    /// `None` if there is no passkey that the request allows, or the user declines.
    fn get<'request>(&'request self, request: &'request serde_json::Value) -> PasskeyFuture<'request>;
}

/// The answer of a passkey.
pub type PasskeyFuture<'request> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'request>>;

type AskFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The prompt, and the passkeys that are tried before it. It is asked for one challenge at a time, since a person cannot
/// answer two.
#[derive(Clone)]
pub(super) struct Prompter(Arc<Inner>);

#[derive(Default)]
struct Inner {
    ask: Option<Arc<dyn Fn(Challenge) -> AskFuture + Send + Sync>>,
    passkeys: Option<Arc<dyn Passkeys>>,
    /// Held while a challenge is being answered.
    turn: Mutex<()>,
    /// The number of challenges that were passed.
    passed: AtomicU64,
}

impl Prompter {
    /// Returns a prompter with this prompt, and with the passkeys of the one before.
    pub(super) fn asking<Ask, Asked>(before: Option<Self>, ask: Ask) -> Self
    where
        Ask: FnOnce(Challenge) -> Asked + Clone + Send + Sync + 'static,
        Asked: Future<Output: Into<Answer>> + Send + 'static,
    {
        let ask = move |challenge| -> AskFuture {
            let asked = (ask.clone())(challenge);
            Box::pin(async move { asked.await.into() })
        };
        let passkeys = before.and_then(|before| before.0.passkeys.clone());
        Self(Arc::new(Inner { ask: Some(Arc::new(ask)), passkeys, ..Inner::default() }))
    }

    /// Returns a prompter that tries these passkeys first, and with the prompt of the one before.
    pub(super) fn showing(before: Option<Self>, passkeys: impl Passkeys) -> Self {
        let ask = before.and_then(|before| before.0.ask.clone());
        Self(Arc::new(Inner { ask, passkeys: Some(Arc::new(passkeys)), ..Inner::default() }))
    }
}

impl fmt::Debug for Prompter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Prompter").finish_non_exhaustive()
    }
}

/// The code of the next attempt.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) code: TwoFactorCode,
    pub(super) dialect: Dialect,
}

/// The form in which the server asks for a code at login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// That of Rocket.Chat and Bolide.
    RocketChat,
    /// That of Meteor's `accounts-2fa`.
    Meteor,
}

/// Makes an attempt, and repeats it with a code while the server asks for one and the prompt returns one.
pub(super) async fn prove<Output, Attempt, Attempted>(
    prompter: Option<&Prompter>,
    subject: &Subject,
    mut attempt: Attempt,
) -> Result<Output, CallError>
where
    Attempt: FnMut(Option<Proof>) -> Attempted,
    Attempted: Future<Output = Result<Output, CallError>>,
{
    let mut outcome = attempt(None).await;
    let Some(Prompter(prompter)) = prompter else { return outcome };
    if challenge(&outcome, subject).is_none() {
        return outcome;
    }
    let passed_before = prompter.passed();
    let _turn = prompter.turn.lock().await;
    if prompter.passed() != passed_before {
        // While this one waited for its turn, another challenge was passed: the server may no longer ask.
        outcome = attempt(None).await;
    }
    while let Some(challenge) = challenge(&outcome, subject) {
        let Some(Answer(given)) = prompter.answer(&challenge).await else { return outcome };
        let Given::Code { code, method } = given else { return Err(CallError::TwoFactorCanceled(challenge.error)) };
        outcome = attempt(Some(challenge.proof(&code, method))).await;
        if outcome.is_ok() {
            prompter.passed.fetch_add(1, Ordering::Relaxed);
        }
    }
    outcome
}

impl Inner {
    /// Answers with a passkey if one can, or else with what the prompt returns. `None` without a prompt.
    async fn answer(&self, challenge: &Challenge) -> Option<Answer> {
        // A passkey that was refused would be refused again.
        if let Some(passkeys) = self.passkeys.as_ref().filter(|_| !challenge.is_repeated())
            && let Some(request) = challenge.passkey_request()
            && let Some(shown) = passkeys.get(request).await
        {
            return Some(Answer::code_for(TwoFactorMethod::WebAuthn, shown));
        }
        Some(self.ask.as_ref()?(challenge.clone()).await)
    }

    fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

fn challenge<Output>(outcome: &Result<Output, CallError>, subject: &Subject) -> Option<Challenge> {
    match outcome {
        Err(CallError::Server(error)) => Challenge::read(error, subject),
        _ => None,
    }
}

/// Returns the SHA-256 hash in hex, the form in which a password is sent.
pub(super) fn sha256(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}
