//! [`Links`]: links in mails, to choose a password and to verify an address. The token of a link is stored as a keyed
//! hash, and can be used once.

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::random;

use super::mails::Mails;
use super::secrets::LONGEST_SECRET;
use crate::call::MethodResult;
use crate::chance::{Chance, Generator};
use crate::clock::Clock;
use crate::keys::KeyRing;
use crate::mail::MailContent;
use crate::store::{Link, LinkPurpose, Store, User};

const PURPOSE: &str = "link";

/// Makes links, sends them and finds them again.
pub(super) struct Links {
    store: Arc<dyn Store>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    mails: Arc<Mails>,
}

impl Links {
    pub(super) fn new(
        store: &Arc<dyn Store>,
        keys: &Arc<KeyRing>,
        (clock, chance): (&Arc<dyn Clock>, &Arc<dyn Chance>),
        mails: &Arc<Mails>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            keys: Arc::clone(keys),
            clock: Arc::clone(clock),
            chance: Arc::clone(chance),
            mails: Arc::clone(mails),
        }
    }

    /// Sends a link of this purpose to an address of the user.
    pub(super) async fn send(&self, user: &User, purpose: LinkPurpose, address: &str) -> MethodResult<()> {
        let link = self.make(user, purpose, Some(address.to_owned())).await?;
        let name = user.username.clone().unwrap_or_else(|| address.to_owned());
        let content = match purpose {
            LinkPurpose::ResetPassword => MailContent::ResetPassword { name, link },
            LinkPurpose::EnrollAccount => MailContent::EnrollAccount { name, link },
            LinkPurpose::VerifyEmail => MailContent::VerifyEmail { name, link },
        };
        self.mails.send_for(&content, vec![address.to_owned()], lifetime(purpose)).await;
        Ok(())
    }

    /// Makes a link, and returns its URL as Meteor's clients know it.
    pub(super) async fn make(
        &self,
        user: &User,
        purpose: LinkPurpose,
        address: Option<String>,
    ) -> MethodResult<String> {
        let token = random::secret(&mut Generator(&*self.chance));
        let now = self.clock.now();
        let link = Link {
            hash: self.keys.hash(PURPOSE, "", &token),
            user: user.id.clone(),
            purpose,
            address,
            created_at: now,
            expires_at: now.plus(lifetime(purpose)),
        };
        self.store.put_link(link).await?;
        Ok(format!("{}/#/{}/{token}", self.mails.site().root_url, path(purpose)))
    }

    /// Returns the link with this token, if it is for one of these purposes and has not expired.
    pub(super) async fn find(&self, token: &str, purposes: &[LinkPurpose]) -> MethodResult<Option<Link>> {
        if token.len() > LONGEST_SECRET {
            return Ok(None);
        }
        let found = self.store.link(&self.keys.hashes(PURPOSE, "", token)).await?;
        Ok(found.filter(|link| purposes.contains(&link.purpose) && self.clock.now() < link.expires_at))
    }
}

const fn lifetime(purpose: LinkPurpose) -> Duration {
    let days = match purpose {
        LinkPurpose::ResetPassword | LinkPurpose::VerifyEmail => 3,
        LinkPurpose::EnrollAccount => 30,
    };
    Duration::from_hours(24 * days)
}

/// Returns the path below which a link of this purpose leads, which also names the purpose.
pub(super) const fn path(purpose: LinkPurpose) -> &'static str {
    match purpose {
        LinkPurpose::ResetPassword => "reset-password",
        LinkPurpose::EnrollAccount => "enroll-account",
        LinkPurpose::VerifyEmail => "verify-email",
    }
}
