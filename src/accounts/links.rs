//! Links in mails: to choose a password, and to show that mail arrives. The token of a link is stored as a keyed hash,
//! and consumed once.

use std::time::Duration;

use bolide_protocol::random;

use super::AccountsCore;
use crate::call::{MethodError, MethodResult};
use crate::chance::Generator;
use crate::mail::MailContent;
use crate::store::{Link, LinkPurpose, User};

const PURPOSE: &str = "link";

impl AccountsCore {
    /// Sends a link of this purpose to an address of the user's.
    pub(crate) async fn send_link(&self, user: &User, purpose: LinkPurpose, address: &str) -> MethodResult<()> {
        let url = self.make_link(user, purpose, Some(address.to_owned())).await?;
        let name = user.username.clone().unwrap_or_else(|| address.to_owned());
        let content = match purpose {
            LinkPurpose::ResetPassword => MailContent::ResetPassword { name, link: url },
            LinkPurpose::EnrollAccount => MailContent::EnrollAccount { name, link: url },
            LinkPurpose::VerifyEmail => MailContent::VerifyEmail { name, link: url },
        };
        self.mail(&content, vec![address.to_owned()], Some(self.now().plus(lifetime(purpose)))).await;
        Ok(())
    }

    /// Makes a link and gives its address, as Meteor's clients know it.
    pub(crate) async fn make_link(
        &self,
        user: &User,
        purpose: LinkPurpose,
        address: Option<String>,
    ) -> MethodResult<String> {
        let token = random::secret(&mut Generator(&*self.chance));
        let now = self.now();
        let link = Link {
            hash: self.keys.hash(PURPOSE, "", &token),
            user: user.id.clone(),
            purpose,
            address,
            created_at: now,
            expires_at: now.plus(lifetime(purpose)),
        };
        self.store.put_link(link).await?;
        Ok(format!("{}/#/{}/{token}", self.site.root_url, path(purpose)))
    }

    /// The link with this token, if it is for one of these purposes and has not ended.
    pub(crate) async fn find_link(&self, token: &str, purposes: &[LinkPurpose]) -> MethodResult<Option<Link>> {
        let found = self.store.link(&self.keys.hashes(PURPOSE, "", token)).await?;
        Ok(found.filter(|link| purposes.contains(&link.purpose) && self.now() < link.expires_at))
    }

    /// Consumes a link; an error for the second of two.
    pub(crate) async fn take_link(&self, link: &Link, ended: &'static str) -> MethodResult<()> {
        if self.store.take_link(&link.hash).await? { Ok(()) } else { Err(MethodError::new(403, ended)) }
    }
}

const fn lifetime(purpose: LinkPurpose) -> Duration {
    let days = match purpose {
        LinkPurpose::ResetPassword | LinkPurpose::VerifyEmail => 3,
        LinkPurpose::EnrollAccount => 30,
    };
    Duration::from_hours(24 * days)
}

const fn path(purpose: LinkPurpose) -> &'static str {
    match purpose {
        LinkPurpose::ResetPassword => "reset-password",
        LinkPurpose::EnrollAccount => "enroll-account",
        LinkPurpose::VerifyEmail => "verify-email",
    }
}
