//! [`AuthenticatorApps`]: authenticator apps: their secrets, their codes and their backup codes.

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::random;
use data_encoding::HEXLOWER;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use totp_rs::{Algorithm, Builder, Secret};
use zeroize::Zeroizing;

use crate::accounts::{
    Audit, Foundation, Mails, Proof, Tokens, Users, backup_code_hash, backup_code_hashes, own_token, totp_owner,
};
use crate::call::{Connection, Context, MethodResult};
use crate::chance::{Chance, Generator};
use crate::clock::Clock;
use crate::keys::KeyRing;
use crate::settings::{Settings, TOTP_ENABLED, TOTP_MAX_DELTA};
use crate::store::{AuditEvent, BackupCodes, PendingTotp, Sealed, Store, Totp, User};
use crate::user::UserId;

const STEP_SECONDS: u64 = 30;

/// How long a secret waits for its first code.
const PENDING: Duration = Duration::from_mins(10);

const BACKUP_CODES: usize = 12;
const BACKUP_CODE_LENGTH: usize = 8;

/// Sets authenticator apps up, checks their codes and removes them.
pub(super) struct AuthenticatorApps {
    store: Arc<dyn Store>,
    keys: Arc<KeyRing>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    mails: Arc<Mails>,
    users: Arc<Users>,
    tokens: Arc<Tokens>,
    audit: Arc<Audit>,
}

/// The app that is being set up, and the step of its first code.
pub(super) struct FirstCode {
    pending: PendingTotp,
    step: i64,
}

/// Why an app cannot be confirmed.
pub(super) enum NotConfirmed {
    /// This login has not begun to set one up, or it has ended.
    NotBegun,
    WrongCode,
}

/// The secret of an app that is being set up, as the user is shown it.
pub(super) struct NewApp {
    pub(super) secret: String,
    /// The `otpauth` URL for a QR code.
    pub(super) url: String,
}

impl AuthenticatorApps {
    pub(super) fn new(accounts: &Foundation) -> Self {
        Self {
            store: Arc::clone(&accounts.store),
            keys: Arc::clone(&accounts.keys),
            settings: accounts.settings.clone(),
            clock: Arc::clone(&accounts.clock),
            chance: Arc::clone(&accounts.chance),
            mails: Arc::clone(&accounts.mails),
            users: Arc::clone(&accounts.users),
            tokens: Arc::clone(&accounts.tokens),
            audit: Arc::clone(&accounts.audit),
        }
    }

    /// Begins to set up an app, which lists the account under the name of the site unless `site` is another name. The
    /// login of this call alone can confirm it, for ten minutes. `None` if the user has an app.
    pub(super) async fn begin(
        &self,
        user: &User,
        site: Option<&str>,
        context: &Context,
        _: &Proof,
    ) -> MethodResult<Option<NewApp>> {
        if matches!(user.totp, Totp::On(_)) {
            return Ok(None);
        }
        let mut bytes = Zeroizing::new([0; 20]);
        self.chance.fill(&mut *bytes);
        let secret = Secret::new(Box::from(bytes.as_slice())).to_base32();
        let sealed = self.keys.seal(&*bytes, &totp_owner(&user.id), &*self.chance);
        let account = user.username.clone().unwrap_or_else(|| user.id.to_string());
        let site = site.unwrap_or(&self.mails.site().name);
        let (issuer, account) = (encoded(site), encoded(&account));
        let url = format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}");
        let pending = PendingTotp::new(sealed, own_token(context), self.clock.now());
        Ok(self.store.begin_totp(&user.id, pending).await?.then_some(NewApp { secret, url }))
    }

    /// Checks the first code of the app that this login has begun to set up. The code is not used up.
    ///
    /// # Errors
    /// [`NotConfirmed`].
    pub(super) fn first_code(&self, user: &User, code: &str, context: &Context) -> Result<FirstCode, NotConfirmed> {
        let Totp::Pending(pending) = &user.totp else { return Err(NotConfirmed::NotBegun) };
        if pending.token != own_token(context) || pending.since.plus(PENDING) <= self.clock.now() {
            return Err(NotConfirmed::NotBegun);
        }
        let step = self.matching_step(user, &pending.secret, code).ok_or(NotConfirmed::WrongCode)?;
        Ok(FirstCode { pending: pending.clone(), step })
    }

    /// Takes an app into use. The other logins of the user end; those of integrations stay. Returns the backup codes, or
    /// `None` if the app is not pending any more.
    pub(super) async fn confirm(
        &self,
        user: &User,
        FirstCode { pending, step }: FirstCode,
        context: &Context,
        with_backup_codes: bool,
        _: &Proof,
    ) -> MethodResult<Option<Vec<String>>> {
        let (codes, stored) =
            if with_backup_codes { self.new_backup_codes(&user.id) } else { (Vec::new(), BackupCodes::default()) };
        if !self.store.confirm_totp(&user.id, &pending, step, stored).await? {
            return Ok(None);
        }
        self.tokens.end_other_logins(&user.id, own_token(context).as_ref(), context.connection()).await?;
        self.users.changed(&user.id).await;
        self.audit.record(AuditEvent::TotpEnabled, Some(&user.id), context.connection(), json!({})).await;
        Ok(Some(codes))
    }

    /// Removes the app, and returns whether there was one.
    pub(super) async fn disable(
        &self,
        user: &UserId,
        connection: Option<&Connection>,
        _: &Proof,
    ) -> MethodResult<bool> {
        let was_there = self.store.remove_totp(user).await?;
        self.store.distrust_tokens(user).await?;
        self.users.changed(user).await;
        self.audit.record(AuditEvent::TotpDisabled, Some(user), connection, json!({})).await;
        Ok(was_there)
    }

    /// Replaces the backup codes. `None` if the user has neither an app nor a passkey.
    pub(super) async fn regenerate_backup_codes(
        &self,
        user: &UserId,
        connection: Option<&Connection>,
        _: &Proof,
    ) -> MethodResult<Option<Vec<String>>> {
        let (codes, stored) = self.new_backup_codes(user);
        if !self.store.replace_backup_codes(user, stored).await? {
            return Ok(None);
        }
        self.audit.record(AuditEvent::TotpCodesRegenerated, Some(user), connection, json!({})).await;
        Ok(Some(codes))
    }

    /// Returns how many backup codes are left.
    pub(super) async fn backup_codes_left(&self, user: &UserId) -> MethodResult<u32> {
        Ok(self.store.backup_codes_left(user).await?)
    }

    /// Checks a code of the app or a backup code, and uses it up.
    pub(super) async fn verify(&self, user: &User, code: &str) -> MethodResult<bool> {
        // Users of a passkey have backup codes as well.
        if code.chars().count() == BACKUP_CODE_LENGTH && (user.passkeys > 0 || matches!(user.totp, Totp::On(_))) {
            let hashes = backup_code_hashes(&self.keys, &user.id, &sha256_hex(code));
            return Ok(self.store.take_backup_code(&user.id, &hashes).await?);
        }
        let Totp::On(sealed) = &user.totp else { return Ok(false) };
        // Where apps are switched off, the gate asks users of a passkey for a backup code under the name of the app.
        if user.passkeys > 0 && !self.settings.get(&TOTP_ENABLED) {
            return Ok(false);
        }
        match self.matching_step(user, sealed, code) {
            Some(step) => Ok(self.store.take_totp_step(&user.id, step).await?),
            None => Ok(false),
        }
    }

    /// Returns the step of a code that is right for this secret now, whether or not it was used before.
    fn matching_step(&self, user: &User, sealed: &Sealed, code: &str) -> Option<i64> {
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
            // Imported secrets may be shorter than the standard demands.
            .build_noncompliant();
        let seconds = u64::try_from(self.clock.now().milliseconds() / 1000).ok()?;
        totp.check(code, seconds)?.try_into().ok()
    }

    /// Draws backup codes, and returns them as they are shown once and as they are stored.
    pub(super) fn new_backup_codes(&self, user: &UserId) -> (Vec<String>, BackupCodes) {
        let draw = |_| random::id_of_length(&mut Generator(&*self.chance), BACKUP_CODE_LENGTH);
        let codes: Vec<String> = (0..BACKUP_CODES).map(draw).collect();
        let hash = |code: &String| backup_code_hash(&self.keys, user, &sha256_hex(code));
        let stored = BackupCodes(codes.iter().map(hash).collect());
        (codes, stored)
    }
}

/// Draws six digits, each code as likely as any other.
pub(super) fn digits(chance: &dyn Chance) -> String {
    loop {
        let mut bytes = [0; 4];
        chance.fill(&mut bytes);
        let number = u32::from_be_bytes(bytes);
        // Larger numbers would make some codes likelier than others.
        if number < u32::MAX - u32::MAX % 1_000_000 {
            return format!("{:06}", number % 1_000_000);
        }
    }
}

/// Returns the SHA-256 of a backup code in hexadecimal, as Rocket.Chat stores it. Hashed once more, an imported code is
/// checked like one of this server.
fn sha256_hex(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

/// Encodes a text as `encodeURIComponent` does.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
