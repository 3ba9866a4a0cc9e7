//! The account methods of Meteor. None of them is gated: `login` and what changes a password ask in their own words.

use std::sync::Arc;

use bolide_protocol::ejson::Object;
use bolide_protocol::{DdpError, Ejson};
use serde_json::{Value, json};

use super::blocks::Suspect;
use super::login::{Selector, wrong_credentials};
use super::password::Password;
use super::permissions::USER;
use super::token::LoginSecret;
use super::{AccountsCore, login::LoginResult, names};
use crate::call::{Connection, Context, Identity, MethodError, MethodResult, Parameters, SignedIn, TwoFactor};
use crate::registry::Registry;
use crate::settings;
use crate::store::{EmailAddress, HashedToken, LinkPurpose, NewUser, StoreError, StoredHash, TokenKind, Unique, User};
use crate::two_factor::MailAsker;
use crate::user::UserId;

pub(super) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    macro_rules! method {
        ($register:ident, $name:literal, $function:path, $caller:ty) => {{
            let core = Arc::clone(core);
            registry.$register($name, TwoFactor::none(), move |caller: $caller, parameters: Parameters| {
                let core = Arc::clone(&core);
                async move { $function(&core, caller, parameters).await }
            })
        }};
    }
    method!(open_method_unless_there, "login", login, Context);
    method!(open_method_unless_there, "logout", logout, Context);
    method!(method_unless_there, "createUser", create_user, Context);
    method!(method_unless_there, "changePassword", change_password, Context);
    method!(method_unless_there, "forgotPassword", forgot_password, Context);
    method!(open_method_unless_there, "resetPassword", reset_password, Context);
    method!(open_method_unless_there, "verifyEmail", verify_email, Context);
    method!(open_method_unless_there, "sendVerificationEmail", send_verification_email, SignedIn);
    method!(open_method_unless_there, "getNewToken", get_new_token, Context);
    method!(method_unless_there, "removeOtherTokens", remove_other_tokens, Context);
    method!(method_unless_there, "logoutOtherClients", remove_other_tokens, Context);
    method!(method_unless_there, "setUsername", set_username, SignedIn);
}

async fn login(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<LoginResult> {
    let options: Ejson = one(&parameters)?;
    core.login(&context, options.as_object().ok_or_else(DdpError::match_failed)?).await
}

async fn logout(core: &AccountsCore, context: Context, _: Parameters) -> MethodResult<()> {
    if let Some(token) = own_token(&context) {
        core.store.delete_token(&token).await?;
        core.end_connections_but(&[token], context.connection());
    }
    core.audit("logout", context.user_id().as_ref(), context.connection(), json!({})).await;
    context.sign_in(Identity::default()).await
}

async fn create_user(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<LoginResult> {
    let options: Ejson = one(&parameters)?;
    let options = options.as_object().ok_or_else(DdpError::match_failed)?;
    let user = core.sign_up(options, context.connection()).await?;
    core.log_in_after(&context, user, "createUser").await
}

async fn change_password(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<Value> {
    let id = context.user_id().ok_or_else(|| MethodError::new(401, "Must be logged in"))?;
    let old = Password::from_ejson(&parameters.get(0)?)?;
    let new = new_password(&parameters.get(1)?)?;
    let user = core.store.user(&id).await?.ok_or_else(wrong_credentials)?;
    let proven = core.prove_password(&user, &old, context.connection()).await?;
    let hash = core.hash_password(&new).await?;
    // Who has reset it meanwhile knows better than who knows the old one.
    if !core.store.exchange_password(&id, &proven, hash).await? {
        return Err(wrong_credentials().into());
    }
    core.end_after_new_password(&id, own_token(&context).as_ref(), context.connection()).await?;
    Ok(json!({ "passwordChanged": true }))
}

/// Answers the same whether there is such a user or not.
async fn forgot_password(core: &Arc<AccountsCore>, context: Context, parameters: Parameters) -> MethodResult<()> {
    let options: Ejson = one(&parameters)?;
    let options = options.as_object().filter(|options| options.len() == 1).ok_or_else(DdpError::match_failed)?;
    let address = options.get("email").and_then(Ejson::as_str).filter(|text| text.len() <= 1000);
    let address = address.ok_or_else(DdpError::match_failed)?;
    let Some(user) = core.store.user_by_address(address).await? else { return Ok(()) };
    let own = user.emails.iter().find(|email| crate::store::fold(&email.address) == crate::store::fold(address));
    let Some(own) = own.map(|email| email.address.clone()) else { return Ok(()) };
    let (sender, connection) = (Arc::clone(core), context.connection().cloned());
    // In the background, or the time to the answer would tell that there is such a user.
    core.in_background(async move {
        if let Err(error) = sender.send_reset_link(&user, &own, connection.as_ref()).await {
            tracing::error!(%error, "a link to reset a password cannot be sent");
        }
    });
    Ok(())
}

async fn reset_password(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<LoginResult> {
    let token: String = parameters.get(0)?;
    let password = new_password(&parameters.get(1)?)?;
    let purposes = [LinkPurpose::ResetPassword, LinkPurpose::EnrollAccount];
    let ended = || MethodError::new(403, "Token expired");
    let link = core.find_link(&token, &purposes).await?.ok_or_else(ended)?;
    let user = core.store.user(&link.user).await?.ok_or_else(ended)?;
    let has_address = |address: &String| user.emails.iter().any(|email| email.address == *address);
    if link.address.as_ref().is_some_and(|address| !has_address(address)) {
        return Err(MethodError::new(403, "Token has invalid email address"));
    }
    // The link is used up only when nothing can go wrong any more.
    let hash = core.hash_password(&password).await?;
    core.take_link(&link, "Token expired").await?;
    core.store_password(&user.id, hash, None, context.connection()).await?;
    if let Some(address) = &link.address {
        core.store.verify_email(&user.id, address).await?;
        core.user_changed(&user.id).await;
    }
    core.log_in_by_link(&context, &user.id, "resetPassword", "The password was changed").await
}

async fn verify_email(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<LoginResult> {
    let token: String = parameters.get(0)?;
    let ended = || MethodError::new(403, "Verify email link expired");
    let link = core.find_link(&token, &[LinkPurpose::VerifyEmail]).await?.ok_or_else(ended)?;
    let user = core.store.user(&link.user).await?.ok_or_else(ended)?;
    core.take_link(&link, "Verify email link expired").await?;
    let address = link.address.unwrap_or_default();
    if !core.store.verify_email(&user.id, &address).await? {
        return Err(MethodError::new(403, "Verify email link is for unknown address"));
    }
    core.user_changed(&user.id).await;
    core.audit("email.verified", Some(&user.id), context.connection(), json!({})).await;
    core.log_in_by_link(&context, &user.id, "verifyEmail", "The address was verified").await
}

async fn send_verification_email(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let wanted: Option<String> = parameters.get(0)?;
    let user = core.existing_user(me.user()).await?;
    let address = match wanted.filter(|text| !text.is_empty()) {
        Some(wanted) => user.emails.iter().find(|email| email.address == wanted),
        None => user.emails.iter().find(|email| !email.is_verified),
    };
    let Some(address) = address.map(|email| email.address.clone()) else { return Ok(false) };
    if !core.may_send_mail(&user.id, MailAsker::User).await? {
        return Ok(false);
    }
    core.send_link(&user, LinkPurpose::VerifyEmail, &address).await?;
    Ok(true)
}

async fn get_new_token(core: &AccountsCore, context: Context, _: Parameters) -> MethodResult<LoginResult> {
    let (user, current) = logged_in(core, &context).await?;
    let TokenKind::Session { expires_at } = current.kind else {
        return Err(DdpError::bare("Invalid login token").into());
    };
    let secret = LoginSecret::generate(&*core.chance);
    let mut token = core.new_session_token(&user, &secret, context.connection());
    token.kind = TokenKind::Session { expires_at };
    token.created_at = current.created_at;
    if !core.store.insert_token_beside(&current.hashed, token).await? {
        return Err(DdpError::bare("Invalid login token").into());
    }
    let token_expires = Some(expires_at.to_date());
    let login = LoginResult { id: user, token: secret.expose().to_owned(), token_expires, kind: None };
    // From now on it is the connection's own: `removeOtherTokens`, which clients call next, spares it.
    core.associate(&context, &login).await?;
    Ok(login)
}

async fn remove_other_tokens(core: &AccountsCore, context: Context, _: Parameters) -> MethodResult<()> {
    let (user, current) = logged_in(core, &context).await?;
    let removed = core.store.delete_session_tokens(&user, Some(&current.hashed)).await?;
    core.end_connections(&removed);
    core.audit("sessions.revoked", Some(&user), context.connection(), json!({ "count": removed.len() })).await;
    Ok(())
}

async fn set_username(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<String> {
    let name = names::username(&parameters.get::<String>(0)?)?;
    core.store.set_username(me.user(), &name).await.map_err(|error| match error {
        StoreError::Taken(_) => MethodError::new("error-field-unavailable", format!("{name} is already in use")),
        other => other.into(),
    })?;
    core.user_changed(me.user()).await;
    Ok(name)
}

impl AccountsCore {
    /// Makes a user of what `createUser` was given, if everybody may, and stores it.
    pub(crate) async fn sign_up(&self, options: &Object, connection: Option<&Connection>) -> MethodResult<User> {
        if !self.settings.get(&settings::SIGN_UP) {
            return Err(MethodError::new(403, "Signups forbidden"));
        }
        let user = self.hooks.new_user(options, self.read_new_user(options).await?).await?;
        let new = NewUser { user: user.clone(), backup_codes: Vec::new(), tokens: Vec::new() };
        self.store.insert_user(new).await.map_err(|error| match error {
            StoreError::Taken(Unique::Username | Unique::Address) => wrong_credentials().into(),
            other => MethodError::from(other),
        })?;
        self.audit("user.created", Some(&user.id), connection, json!({})).await;
        Ok(user)
    }

    async fn read_new_user(&self, options: &Object) -> MethodResult<User> {
        let text = |key: &str| match options.get(key) {
            None | Some(Ejson::Null) => Ok(None),
            Some(value) => {
                let text = value.as_str().ok_or_else(DdpError::match_failed)?;
                Ok::<_, DdpError>(Some(text).filter(|text| !text.is_empty()))
            }
        };
        let username = text("username")?.map(names::username).transpose()?;
        let address = text("email")?.map(names::address).transpose()?;
        if username.is_none() && address.is_none() {
            return Err(MethodError::new(400, "Need to set a username or email"));
        }
        let profile = match options.get("profile") {
            None | Some(Ejson::Null) => None,
            Some(profile) => Some(profile.as_object().ok_or_else(DdpError::match_failed)?.clone()),
        };
        let password = match options.get("password") {
            None | Some(Ejson::Null) => None,
            Some(password) if password.as_str() == Some("") => None,
            Some(password) => Some(self.hash_password(&new_password(password)?).await?),
        };
        let opts_in =
            [&settings::TWO_FACTOR_ENABLED, &settings::EMAIL_CODES_ENABLED, &settings::EMAIL_CODES_AUTO_OPT_IN];
        Ok(User {
            username,
            emails: address.into_iter().map(|address| EmailAddress { address, is_verified: false }).collect(),
            profile,
            roles: vec![USER.into()],
            password,
            has_email_codes: opts_in.into_iter().all(|setting| self.settings.get(setting)),
            ..User::new(UserId::from(self.random_id()), self.now())
        })
    }

    /// Compares with the user's password, and gives its hash; failures count as failed log-ins.
    pub(crate) async fn prove_password(
        &self,
        user: &User,
        password: &Password,
        connection: Option<&Connection>,
    ) -> MethodResult<StoredHash> {
        let suspect = Suspect::new(Some(user.id.as_str()), Some(user), connection);
        let _one_at_a_time = self.locks.lock(&suspect.lock_key()).await;
        // Who was before this one may have changed the hash.
        let user = self.store.user(&user.id).await?;
        let is_blocked = self.find_block(&suspect).await?.is_some();
        match self.verify_password(user.as_ref(), password).await? {
            Some(hash) if !is_blocked => Ok(hash),
            _ => {
                self.count_failed_login(&suspect).await?;
                Err(wrong_credentials().into())
            }
        }
    }

    /// The hash of a new password.
    pub(crate) async fn hash_password(&self, password: &Password) -> MethodResult<StoredHash> {
        Ok(StoredHash::new(self.hasher.hash(password).await?.as_str()))
    }

    /// Sets a new password. The other log-ins end, what was trusted is not any more, and links to reset it do not count.
    pub(crate) async fn set_password(
        &self,
        user: &User,
        password: &Password,
        kept: Option<&HashedToken>,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        let hash = self.hash_password(password).await?;
        self.store_password(&user.id, hash, kept, connection).await
    }

    async fn store_password(
        &self,
        user: &UserId,
        hash: StoredHash,
        kept: Option<&HashedToken>,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        self.store.set_password(user, hash).await?;
        self.end_after_new_password(user, kept, connection).await
    }

    /// What a new password ends, once it is stored.
    async fn end_after_new_password(
        &self,
        user: &UserId,
        kept: Option<&HashedToken>,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        self.store.delete_links(user, LinkPurpose::ResetPassword).await?;
        self.store.delete_links(user, LinkPurpose::EnrollAccount).await?;
        let ended = self.store.delete_session_tokens(user, kept).await?;
        self.store.distrust_tokens(user).await?;
        self.end_connections_but(&ended, connection);
        self.user_changed(user).await;
        self.audit("password.changed", Some(user), connection, json!({})).await;
        Ok(())
    }

    async fn send_reset_link(&self, user: &User, address: &str, connection: Option<&Connection>) -> MethodResult<()> {
        if !self.may_send_mail(&user.id, MailAsker::Anybody).await? {
            return Ok(());
        }
        self.send_link(user, LinkPurpose::ResetPassword, address).await?;
        self.audit("password.reset-requested", Some(&user.id), connection, json!({})).await;
        Ok(())
    }

    /// Logs in who came by a link, as the user is now, unless that takes a second factor too.
    async fn log_in_by_link(
        &self,
        context: &Context,
        id: &UserId,
        method: &'static str,
        done: &str,
    ) -> MethodResult<LoginResult> {
        let user = self.store.user(id).await?.filter(|user| user.is_active).ok_or_else(wrong_credentials)?;
        if self.has_second_factor(&user) {
            let reason = format!("{done}, but user not logged in because 2FA is enabled");
            return Err(MethodError::new("2fa-enabled", reason));
        }
        self.log_in_after(context, user, method).await
    }
}

/// The one parameter of a method.
fn one(parameters: &Parameters) -> Result<Ejson, DdpError> {
    parameters.get(0)
}

/// A password to be set. An empty one could never be shown.
fn new_password(value: &Ejson) -> Result<Password, DdpError> {
    Password::from_ejson(value).and_then(|new| if new.is_empty() { Err(DdpError::match_failed()) } else { Ok(new) })
}

/// The token that the connection has logged in with.
pub(crate) fn own_token(context: &Context) -> Option<HashedToken> {
    let credential = context.connection()?.identity().credential?;
    Some(HashedToken::from_base64(credential.hashed))
}

async fn logged_in(core: &AccountsCore, context: &Context) -> MethodResult<(UserId, crate::store::LoginToken)> {
    let user = context.user_id().ok_or_else(|| DdpError::bare("You are not logged in."))?;
    let token = own_token(context).ok_or_else(|| DdpError::bare("Invalid login token"))?;
    let token = core.store.token(&token).await?.filter(|token| token.user == user);
    Ok((user, token.ok_or_else(|| DdpError::bare("Invalid login token"))?))
}

/// Used by others that look somebody up by what a person typed.
pub(crate) fn selector_of(text: &str) -> Selector {
    if text.contains('@') { Selector::Address(text.to_owned()) } else { Selector::Username(text.to_owned()) }
}
