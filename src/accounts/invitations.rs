//! Users whom others add, and the mails that an application, an operator or an admin sends to users: to choose the first password, and to verify an address.

use serde::Deserialize;
use serde_json::json;

use super::links::path;
use super::{AccountsCore, AccountsHandle, Proof};
use crate::call::{MethodError, MethodResult, SignedIn};
use crate::store::{AuditEvent, EmailAddress, LinkPurpose, User};

/// A user whom an admin adds. It has a password, and is not shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMember {
    username: String,
    email: Option<String>,
    /// Without one, the user is sent a link to choose it.
    password: Option<String>,
    #[serde(default)]
    pub(crate) roles: Vec<String>,
}

impl AccountsCore {
    /// Adds a user for an admin: with a password, or with an address to which a link is sent.
    ///
    /// # Errors
    /// `error-invalid-email` without a password and an address, and those of [`AccountsHandle::add_user`].
    pub(crate) async fn add_member(&self, new: NewMember, by: &SignedIn, _: &Proof) -> MethodResult<User> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (address, password) = (given(new.email), given(new.password));
        if address.is_none() && password.is_none() {
            let reason = "Set a password, or an e-mail address to which a link is sent";
            return Err(MethodError::new("error-invalid-email", reason));
        }
        let emails: Vec<EmailAddress> = address.iter().map(EmailAddress::unverified).collect();
        let connection = by.context().connection();
        let user = self.sign_up.add(&new.username, &emails, &new.roles, password.as_deref(), connection).await?;
        if let Some(email) = user.emails.first().filter(|_| password.is_none()) {
            self.links.send(&user, LinkPurpose::EnrollAccount, &email.address).await?;
            let details = json!({ "by": "admin", "purpose": path(LinkPurpose::EnrollAccount) });
            self.audit.record(AuditEvent::LinkSent, Some(&user.id), connection, details).await;
        }
        Ok(user)
    }
}

impl AccountsHandle {
    /// Adds a user who chooses the password by a link: sends an enrolment mail to the address, which is verified when the
    /// link is followed. The hooks for new users run, without options.
    ///
    /// ```no_run
    /// use bolide::prelude::*;
    ///
    /// async fn invite(app: &App) -> MethodResult<()> {
    ///     let accounts = app.accounts().expect("accounts were added");
    ///     accounts.invite_user("ada", "ada@example.com", &["editor"]).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of [`add_user`](Self::add_user).
    pub async fn invite_user(&self, username: &str, address: &str, roles: &[&str]) -> MethodResult<User> {
        let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
        let user = self.core().sign_up.add(username, &[EmailAddress::unverified(address)], &roles, None, None).await?;
        self.send_link(&user, LinkPurpose::EnrollAccount, None).await?;
        Ok(user)
    }

    /// Sends a user a mail with a link to choose the first password, as Meteor's `sendEnrollmentEmail`: to this address of
    /// the user, or to the first one. The link is valid once, for 30 days, and replaces an earlier one. It also verifies the
    /// address, and ends all access of the user, as every link that sets a password.
    ///
    /// # Errors
    /// `error-invalid-user` if there is no such user, `error-user-is-not-activated` if it may not log in, and
    /// `error-invalid-email` if it does not have the address, or any.
    pub async fn send_enrollment_email(&self, name: &str, address: Option<&str>) -> MethodResult<()> {
        self.send_link(&self.find(name).await?, LinkPurpose::EnrollAccount, address).await
    }

    /// Sends a user a mail with a link that verifies an address, as Meteor's `Accounts.sendVerificationEmail`: this address of
    /// the user, or the first one that is not verified. The link is valid once, for three days.
    ///
    /// # Errors
    /// Those of [`send_enrollment_email`](Self::send_enrollment_email).
    pub async fn send_verification_email(&self, name: &str, address: Option<&str>) -> MethodResult<()> {
        self.send_link(&self.find(name).await?, LinkPurpose::VerifyEmail, address).await
    }

    async fn send_link(&self, user: &User, purpose: LinkPurpose, address: Option<&str>) -> MethodResult<()> {
        if !user.is_active {
            return Err(MethodError::new("error-user-is-not-activated", "User is not activated"));
        }
        let is_meant = |email: &&EmailAddress| match address {
            Some(address) => email.address == address,
            None => purpose != LinkPurpose::VerifyEmail || !email.is_verified,
        };
        let no_such_address = || MethodError::new("error-invalid-email", "The user does not have this address");
        let address = user.emails.iter().find(is_meant).ok_or_else(no_such_address)?;
        self.core().links.send(user, purpose, &address.address).await?;
        let details = json!({ "by": "operator", "purpose": path(purpose) });
        self.core().audit.record(AuditEvent::LinkSent, Some(&user.id), None, details).await;
        Ok(())
    }
}
