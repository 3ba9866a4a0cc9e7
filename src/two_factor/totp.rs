//! The authenticator app: its secret, its codes and its backup codes.

use bolide_protocol::random;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use totp_rs::{Algorithm, Builder, Secret};
use zeroize::Zeroizing;

use crate::accounts::AccountsCore;
use crate::call::MethodResult;
use crate::chance::{Chance, Generator};
use crate::keys::KeyRing;
use crate::settings::TOTP_MAX_DELTA;
use crate::store::{BackupCodes, KeyedHash, Sealed, Totp, User};
use crate::user::UserId;

const STEP_SECONDS: u64 = 30;
const BACKUP_CODES: usize = 12;
const BACKUP_CODE_LENGTH: usize = 8;

/// For whom a secret is sealed.
pub(crate) fn totp_owner(user: &UserId) -> String {
    format!("totp:{user}")
}

/// Six digits that nobody can foresee.
pub(crate) fn digits(chance: &dyn Chance) -> String {
    loop {
        let mut bytes = [0; 4];
        chance.fill(&mut bytes);
        let number = u32::from_be_bytes(bytes);
        // The numbers above would make some codes likelier than others.
        if number < u32::MAX - u32::MAX % 1_000_000 {
            return format!("{:06}", number % 1_000_000);
        }
    }
}

impl AccountsCore {
    /// A new secret, sealed, and as the user is shown it; apps list it under the name of the site.
    pub(crate) fn new_totp_secret(&self, user: &User, site: &str) -> (Sealed, String, String) {
        let mut bytes = Zeroizing::new([0; 20]);
        self.chance.fill(&mut *bytes);
        let secret = Secret::new(Box::from(bytes.as_slice())).to_base32();
        let sealed = self.keys.seal(&*bytes, &totp_owner(&user.id), &*self.chance);
        let account = user.username.clone().unwrap_or_else(|| user.id.to_string());
        let (issuer, account) = (encoded(site), encoded(&account));
        let url = format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}");
        (sealed, secret, url)
    }

    /// The step of a code that is right for this secret now; whether it was used before is asked elsewhere.
    pub(crate) fn matching_step(&self, user: &User, sealed: &Sealed, code: &str) -> Option<i64> {
        if code.len() != 6 {
            return None;
        }
        let secret = self.keys.open(sealed, &totp_owner(&user.id))?;
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_secret(Secret::new(Box::from(secret.expose())))
            .with_skew(self.settings.get(&TOTP_MAX_DELTA).try_into().unwrap_or(1))
            .with_step_duration(STEP_SECONDS)
            // Imported secrets may be shorter than the standard wants.
            .build_noncompliant();
        let seconds = u64::try_from(self.now().milliseconds() / 1000).ok()?;
        totp.check(code, seconds)?.try_into().ok()
    }

    /// A code of the app, or a backup code; each counts once.
    pub(super) async fn verify_totp(&self, user: &User, code: &str) -> MethodResult<bool> {
        let Totp::On(sealed) = &user.totp else { return Ok(false) };
        if code.chars().count() == BACKUP_CODE_LENGTH {
            let hashes = self.keys.hashes("backup-code", user.id.as_str(), &sha256_hex(code));
            return Ok(self.store.take_backup_code(&user.id, &hashes).await?);
        }
        match self.matching_step(user, sealed, code) {
            Some(step) => Ok(self.store.take_totp_step(&user.id, step).await?),
            None => Ok(false),
        }
    }

    /// New backup codes: as they are shown once, and as they are stored.
    pub(crate) fn new_backup_codes(&self, user: &UserId) -> (Vec<String>, BackupCodes) {
        let draw = |_| random::id_of_length(&mut Generator(&*self.chance), BACKUP_CODE_LENGTH);
        let codes: Vec<String> = (0..BACKUP_CODES).map(draw).collect();
        let hash = |code: &String| backup_code_hash(&self.keys, user, &sha256_hex(code));
        let stored = BackupCodes(codes.iter().map(hash).collect());
        (codes, stored)
    }
}

/// What is stored of a backup code, by its SHA-256 in hexadecimal.
pub(crate) fn backup_code_hash(keys: &KeyRing, user: &UserId, sha256: &str) -> KeyedHash {
    keys.hash("backup-code", user.as_str(), sha256)
}

/// Rocket.Chat stores backup codes so: hashed once more, imported ones can be checked like our own.
fn sha256_hex(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

/// As `encodeURIComponent` does.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
