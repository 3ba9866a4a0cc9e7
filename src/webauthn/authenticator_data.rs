//! [`AuthenticatorData`]: what the authenticator has signed: the site, its flags, its counter, and a new credential.

use sha2::{Digest as _, Sha256};

use super::cbor::Reader;
use super::key::PublicKey;
use super::{LONGEST_ID, Mistake, RelyingParty, UserVerification};

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;
const HAS_EXTENSIONS: u8 = 1 << 7;

/// The data of an authenticator.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'bytes> {
    site: [u8; 32],
    flags: u8,
    pub(super) counter: u32,
    pub(super) credential: Option<AttestedCredential<'bytes>>,
}

/// A new credential.
#[derive(Debug)]
pub(super) struct AttestedCredential<'bytes> {
    pub(super) id: &'bytes [u8],
    /// The public key in the COSE format.
    pub(super) key: &'bytes [u8],
}

impl<'bytes> AuthenticatorData<'bytes> {
    pub(super) fn read(bytes: &'bytes [u8]) -> Result<Self, Mistake> {
        let malformed = Mistake::AuthenticatorData;
        let (site, rest) = bytes.split_first_chunk().ok_or(malformed)?;
        let (&flags, rest) = rest.split_first().ok_or(malformed)?;
        let (counter, mut rest) = rest.split_first_chunk().ok_or(malformed)?;
        let mut credential = None;
        if flags & HAS_CREDENTIAL != 0 {
            let (found, after) = AttestedCredential::read(rest)?;
            (credential, rest) = (Some(found), after);
        }
        if flags & HAS_EXTENSIONS != 0 {
            let mut reader = Reader::new(rest, malformed);
            reader.skip()?;
            rest = reader.rest();
        }
        if !rest.is_empty() {
            return Err(malformed);
        }
        Ok(Self { site: *site, flags, counter: u32::from_be_bytes(*counter), credential })
    }

    /// Makes sure that the data is about this site, that a user was there, and that the flags can be true.
    pub(super) fn check(&self, site: &RelyingParty, verification: UserVerification) -> Result<(), Mistake> {
        if self.site != <[u8; 32]>::from(Sha256::digest(site.id())) {
            return Err(Mistake::RelyingParty);
        }
        if self.flags & USER_PRESENT == 0 {
            return Err(Mistake::UserPresence);
        }
        if verification == UserVerification::Required && !self.is_user_verified() {
            return Err(Mistake::UserVerification);
        }
        if self.is_backed_up() && !self.is_backup_eligible() {
            return Err(Mistake::Backup);
        }
        Ok(())
    }

    pub(super) const fn is_user_verified(&self) -> bool {
        self.flags & USER_VERIFIED != 0
    }

    pub(super) const fn is_backup_eligible(&self) -> bool {
        self.flags & BACKUP_ELIGIBLE != 0
    }

    pub(super) const fn is_backed_up(&self) -> bool {
        self.flags & BACKED_UP != 0
    }
}

impl<'bytes> AttestedCredential<'bytes> {
    /// Reads a credential. Returns it, and what follows.
    fn read(bytes: &'bytes [u8]) -> Result<(Self, &'bytes [u8]), Mistake> {
        let malformed = Mistake::AuthenticatorData;
        // The model of the authenticator does not matter.
        let (_model, rest) = bytes.split_first_chunk::<16>().ok_or(malformed)?;
        let (length, rest) = rest.split_first_chunk().ok_or(malformed)?;
        let (id, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(malformed)?;
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(Mistake::Id);
        }
        let mut reader = Reader::new(rest, Mistake::Key);
        reader.skip()?;
        let (key, rest) = rest.split_at(rest.len() - reader.rest().len());
        PublicKey::read(key)?;
        Ok((Self { id, key }, rest))
    }
}
