//! [`Hooks`]: an application's own checks of logins, its own part in making new users, and what it is told of logins and
//! logouts.

use std::fmt;
use std::time::Duration;

use bolide_protocol::DdpError;
use bolide_protocol::ejson::Object;
use futures::future::BoxFuture;

use super::login_attempt::{LoginAttempt, Logout, without_secrets};
use crate::call::{Connection, MethodError, MethodResult};
use crate::store::User;

/// The hooks of an application, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Hooks {
    validate_login: Vec<Hook<LoginAttempt, MethodResult<bool>>>,
    login: Vec<Hook<LoginAttempt, ()>>,
    login_failure: Vec<Hook<LoginAttempt, ()>>,
    logout: Vec<Hook<Logout, ()>>,
    lifetime: Vec<LifetimeHook>,
    new_user: Vec<Hook<User, MethodResult<bool>>>,
    create_user: Vec<CreateUserHook>,
}

type Hook<Input, Output> = Box<dyn Fn(Input) -> BoxFuture<'static, Output> + Send + Sync>;
type LifetimeHook = Box<dyn Fn(&LoginAttempt) -> Option<Duration> + Send + Sync>;
type CreateUserHook = Box<dyn Fn(Object, User) -> BoxFuture<'static, MethodResult<User>> + Send + Sync>;

/// Returns a hook as it is kept.
fn kept<Input, Running>(hook: impl Fn(Input) -> Running + Send + Sync + 'static) -> Hook<Input, Running::Output>
where
    Running: Future + Send + 'static,
{
    Box::new(move |input| Box::pin(hook(input)))
}

impl Hooks {
    pub(super) fn add_validate_login<Running>(&mut self, hook: impl Fn(LoginAttempt) -> Running + Send + Sync + 'static)
    where
        Running: Future<Output = MethodResult<bool>> + Send + 'static,
    {
        self.validate_login.push(kept(hook));
    }

    pub(super) fn add_login<Running>(&mut self, hook: impl Fn(LoginAttempt) -> Running + Send + Sync + 'static)
    where
        Running: Future<Output = ()> + Send + 'static,
    {
        self.login.push(kept(hook));
    }

    pub(super) fn add_login_failure<Running>(&mut self, hook: impl Fn(LoginAttempt) -> Running + Send + Sync + 'static)
    where
        Running: Future<Output = ()> + Send + 'static,
    {
        self.login_failure.push(kept(hook));
    }

    pub(super) fn add_logout<Running>(&mut self, hook: impl Fn(Logout) -> Running + Send + Sync + 'static)
    where
        Running: Future<Output = ()> + Send + 'static,
    {
        self.logout.push(kept(hook));
    }

    pub(super) fn add_lifetime(&mut self, hook: impl Fn(&LoginAttempt) -> Option<Duration> + Send + Sync + 'static) {
        self.lifetime.push(Box::new(hook));
    }

    pub(super) fn add_new_user<Running>(&mut self, hook: impl Fn(User) -> Running + Send + Sync + 'static)
    where
        Running: Future<Output = MethodResult<bool>> + Send + 'static,
    {
        self.new_user.push(kept(hook));
    }

    pub(super) fn add_create_user<Running>(&mut self, hook: impl Fn(Object, User) -> Running + Send + Sync + 'static)
    where
        Running: Future<Output = MethodResult<User>> + Send + 'static,
    {
        self.create_user.push(Box::new(move |options, user| Box::pin(hook(options, user))));
    }

    /// Begins an attempt to log in with these options, which hooks see without their secrets.
    pub(super) fn begin(
        &self,
        method: &'static str,
        options: Option<&Object>,
        connection: Option<&Connection>,
    ) -> LoginAttempt {
        let are_seen = !(self.validate_login.is_empty()
            && self.login.is_empty()
            && self.login_failure.is_empty()
            && self.lifetime.is_empty());
        let arguments = options.filter(|_| are_seen).map(without_secrets);
        LoginAttempt::begun(method, arguments.into_iter().collect(), connection)
    }

    /// Checks a login with all hooks. All of them run, even after one has rejected it.
    pub(super) async fn validate_login(&self, attempt: &LoginAttempt) -> MethodResult<()> {
        match self.ask(attempt.clone()).await {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    /// Returns what the client is told of a login that fails with this error.
    pub(super) async fn explain_failure(&self, attempt: &LoginAttempt, error: DdpError) -> MethodError {
        let failed = attempt.clone().failed(error.clone());
        self.ask(failed).await.unwrap_or_else(|| error.into())
    }

    async fn ask(&self, mut attempt: LoginAttempt) -> Option<MethodError> {
        let mut internal = None;
        for hook in &self.validate_login {
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

    /// Returns how long a login lasts if a hook says so.
    pub(super) fn lifetime(&self, attempt: &LoginAttempt) -> Option<Duration> {
        self.lifetime.iter().find_map(|hook| hook(attempt))
    }

    /// Tells the application how an attempt has ended, and returns the outcome. To be called without locks: a hook may
    /// change the user.
    pub(crate) async fn tell<T>(&self, attempt: LoginAttempt, outcome: MethodResult<T>) -> MethodResult<T> {
        let (hooks, ended) = match &outcome {
            Ok(_) => (&self.login, attempt),
            Err(error) => {
                let error = error.for_client().cloned().unwrap_or_else(DdpError::internal);
                (&self.login_failure, attempt.failed(error))
            }
        };
        for hook in hooks {
            hook(ended.clone()).await;
        }
        outcome
    }

    /// Tells the application of a logout.
    pub(super) async fn tell_logout(&self, logout: Logout) {
        for hook in &self.logout {
            hook(logout.clone()).await;
        }
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
        formatter.debug_struct("Hooks").field("validate_login", &self.validate_login.len()).finish_non_exhaustive()
    }
}
