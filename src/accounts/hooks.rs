//! Hooks: an application's own checks of logins, and its own part in making new users.

use std::borrow::Cow;
use std::fmt;

use bolide_protocol::DdpError;
use bolide_protocol::ejson::Object;
use futures::future::BoxFuture;

use crate::call::{Connection, MethodError, MethodResult};
use crate::store::User;

/// A login, as hooks receive it. It contains no password, token or code.
#[derive(Clone, Debug)]
pub struct LoginAttempt {
    kind: Cow<'static, str>,
    method: &'static str,
    user: Option<User>,
    error: Option<DdpError>,
    connection: Option<Connection>,
}

/// The hooks of an application, in the order in which they were added.
#[derive(Default)]
pub(super) struct Hooks {
    login: Vec<LoginHook>,
    new_user: Vec<NewUserHook>,
    create_user: Vec<CreateUserHook>,
}

type LoginHook = Box<dyn Fn(LoginAttempt) -> BoxFuture<'static, MethodResult<bool>> + Send + Sync>;
type NewUserHook = Box<dyn Fn(User) -> BoxFuture<'static, MethodResult<bool>> + Send + Sync>;
type CreateUserHook = Box<dyn Fn(Object, User) -> BoxFuture<'static, MethodResult<User>> + Send + Sync>;

impl LoginAttempt {
    pub(super) fn allowed(
        kind: Cow<'static, str>,
        method: &'static str,
        user: User,
        connection: Option<&Connection>,
    ) -> Self {
        Self { kind, method, user: Some(user), error: None, connection: connection.cloned() }
    }

    pub(super) fn failed(
        kind: Cow<'static, str>,
        user: Option<User>,
        error: DdpError,
        connection: Option<&Connection>,
    ) -> Self {
        Self { kind, method: "login", user, error: Some(error), connection: connection.cloned() }
    }

    /// Returns the kind of login: `password`, `resume`, or the name of an own handler.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the method that logs in: `login`, `createUser`, `resetPassword` or `verifyEmail`.
    #[must_use]
    pub const fn method(&self) -> &str {
        self.method
    }

    /// Returns the user, as far as it is known.
    #[must_use]
    pub const fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// Returns the error if the login fails already. A hook may replace it, and cannot let the login succeed.
    #[must_use]
    pub const fn error(&self) -> Option<&DdpError> {
        self.error.as_ref()
    }

    /// Returns whether the login succeeds so far.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.error.is_none()
    }

    /// Returns the connection. `None` for a login that the application makes itself.
    #[must_use]
    pub const fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }
}

impl Hooks {
    pub(super) fn add_login<Running>(&mut self, hook: impl Fn(LoginAttempt) -> Running + Send + Sync + 'static)
    where
        Running: Future<Output = MethodResult<bool>> + Send + 'static,
    {
        self.login.push(Box::new(move |attempt| Box::pin(hook(attempt))));
    }

    pub(super) fn add_new_user<Running>(&mut self, hook: impl Fn(User) -> Running + Send + Sync + 'static)
    where
        Running: Future<Output = MethodResult<bool>> + Send + 'static,
    {
        self.new_user.push(Box::new(move |user| Box::pin(hook(user))));
    }

    pub(super) fn add_create_user<Running>(&mut self, hook: impl Fn(Object, User) -> Running + Send + Sync + 'static)
    where
        Running: Future<Output = MethodResult<User>> + Send + 'static,
    {
        self.create_user.push(Box::new(move |options, user| Box::pin(hook(options, user))));
    }

    /// Checks a login with all hooks. All of them run, even after one has rejected it.
    pub(super) async fn validate_login(&self, attempt: LoginAttempt) -> MethodResult<()> {
        match self.ask(attempt).await {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    /// Returns what the client is told of a login that fails.
    pub(super) async fn explain_failure(&self, attempt: LoginAttempt) -> MethodError {
        let error = attempt.error.clone().unwrap_or_else(login_forbidden);
        self.ask(attempt).await.unwrap_or_else(|| error.into())
    }

    async fn ask(&self, mut attempt: LoginAttempt) -> Option<MethodError> {
        let mut internal = None;
        for hook in &self.login {
            match hook(attempt.clone()).await {
                Ok(true) => {}
                Ok(false) => drop(attempt.error.get_or_insert_with(login_forbidden)),
                Err(error) => match error.for_client() {
                    Some(told) => attempt.error = Some(told.clone()),
                    None => internal = Some(error),
                },
            }
        }
        internal.or_else(|| attempt.error.map(MethodError::from))
    }

    /// Completes and checks a new user with these options.
    pub(super) async fn new_user(&self, options: &Object, mut user: User) -> MethodResult<User> {
        for hook in &self.create_user {
            user = hook(options.clone(), user).await?;
        }
        for hook in &self.new_user {
            if !hook(user.clone()).await? {
                return Err(MethodError::new(403, "User validation failed"));
            }
        }
        Ok(user)
    }
}

fn login_forbidden() -> DdpError {
    DdpError::new(403, "Login forbidden")
}

impl fmt::Debug for Hooks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hooks").field("login", &self.login.len()).finish_non_exhaustive()
    }
}
