//! [`PasskeyOwner`]: adds, renames and removes the passkeys of a user.

use std::sync::Arc;

use serde_json::{Value, json};

use super::challenge::Occasion;
use super::{MOST_PASSKEYS, PasskeyFactor, descriptor, encoded_handle, milliseconds};
use crate::accounts::{Foundation, Ground, Mails, Proof, Tokens, Users, own_token, shown_name};
use crate::call::{Context, MethodError, MethodResult, SignedIn};
use crate::store::{AuditEvent, HashedToken, Passkey, PasskeyAdded, StoreError, UsedChallenge, User};
use crate::two_factor::totp::AuthenticatorApps;
use crate::webauthn::{ALGORITHMS, Mistake, NewCredential, Registration, UserVerification};

/// The name of a passkey that the user has given none.
const NAMELESS: &str = "Passkey";

/// Changes the passkeys of users.
pub(in crate::two_factor) struct PasskeyOwner {
    factor: Arc<PasskeyFactor>,
    apps: Arc<AuthenticatorApps>,
    mails: Arc<Mails>,
    users: Arc<Users>,
    tokens: Arc<Tokens>,
}

/// A credential whose challenge was given out to a user who had shown a factor then.
struct Confirmed {
    credential: NewCredential,
    challenge: UsedChallenge,
    proof: Proof,
}

impl PasskeyOwner {
    pub(in crate::two_factor) fn new(
        accounts: &Foundation,
        factor: &Arc<PasskeyFactor>,
        apps: &Arc<AuthenticatorApps>,
    ) -> Self {
        Self {
            factor: Arc::clone(factor),
            apps: Arc::clone(apps),
            mails: Arc::clone(&accounts.mails),
            users: Arc::clone(&accounts.users),
            tokens: Arc::clone(&accounts.tokens),
        }
    }

    /// Returns what `navigator.credentials.create` needs, in its JSON form. For five minutes, the login of this call can
    /// finish what it begins.
    ///
    /// # Errors
    /// `error-passkeys-disabled`, `error-passkeys-unavailable`, or `error-too-many-passkeys`.
    pub(super) async fn begin(&self, me: &SignedIn, _: &Proof) -> MethodResult<Value> {
        let site = self.factor.usable()?;
        let user = self.users.existing(me.user()).await?;
        if user.passkeys >= MOST_PASSKEYS {
            return Err(too_many());
        }
        let own = own_token(me.context());
        let challenge = self.factor.challenges.make(&Occasion::Registration { user: &user, session: own.as_ref() });
        let known = self.factor.store.passkeys_of(&user.id).await?;
        let name = user.username.as_deref().or_else(|| user.emails.first().map(|email| email.address.as_str()));
        let name = name.unwrap_or_else(|| user.id.as_str());
        let shown = user.fields.get("name").and_then(bolide_protocol::Ejson::as_str).unwrap_or(name);
        let algorithm = |number: i64| json!({ "type": "public-key", "alg": number });
        Ok(json!({
            "rp": { "id": site.id(), "name": self.mails.site().name },
            "user": { "id": encoded_handle(&user.id), "name": name, "displayName": shown },
            "challenge": challenge,
            "pubKeyCredParams": ALGORITHMS.map(algorithm),
            "timeout": milliseconds(),
            "excludeCredentials": known.iter().map(descriptor).collect::<Vec<_>>(),
            "authenticatorSelection": {
                "residentKey": "preferred",
                "requireResidentKey": false,
                "userVerification": UserVerification::Preferred.as_str(),
            },
            "attestation": "none",
            "extensions": { "credProps": true },
        }))
    }

    /// Stores a passkey. The other logins of the user end; those of integrations stay. Returns the passkey, and backup codes
    /// if the user had none.
    ///
    /// # Errors
    /// `error-passkey-invalid` if the answer is wrong, or another login has begun; `error-passkey-exists` if a user has
    /// it; `error-too-many-passkeys`.
    pub(super) async fn finish(
        &self,
        me: &SignedIn,
        answer: &str,
        name: Option<&str>,
    ) -> MethodResult<(Passkey, Option<Vec<String>>)> {
        let name = shown_name(name.filter(|name| !name.trim().is_empty()).unwrap_or(NAMELESS))?;
        let user = self.users.existing(me.user()).await?;
        let confirmed = self.confirm(&user, answer, me.context())?;
        self.add(&user, confirmed, name, me.context()).await
    }

    /// Checks the answer of an authenticator. That the challenge was made for this user and this login, within the last
    /// five minutes, is the proof: it was given out for one.
    fn confirm(&self, user: &User, answer: &str, context: &Context) -> MethodResult<Confirmed> {
        let site = self.factor.usable()?;
        let own = own_token(context);
        let occasion = Occasion::Registration { user, session: own.as_ref() };
        let registration = Registration::read(answer).map_err(invalid)?;
        let challenge = self.factor.challenges.recognize(registration.challenge(), &occasion);
        let challenge = challenge.ok_or_else(|| invalid(Mistake::Challenge))?;
        let credential = registration.check(site, UserVerification::Preferred).map_err(invalid)?;
        Ok(Confirmed { credential, challenge, proof: Proof::by(Ground::Shown) })
    }

    async fn add(
        &self,
        user: &User,
        Confirmed { credential, challenge, proof }: Confirmed,
        name: String,
        context: &Context,
    ) -> MethodResult<(Passkey, Option<Vec<String>>)> {
        let now = self.factor.clock.now();
        let mut passkey = Passkey::new(credential.id, user.id.clone(), name, credential.public_key, now);
        passkey.counter = credential.counter;
        passkey.is_backup_eligible = credential.is_backup_eligible;
        passkey.is_backed_up = credential.is_backed_up;
        passkey.transports = credential.transports;
        let (codes, stored) = self.apps.new_backup_codes(&user.id);
        let added = self.store(&proof, passkey.clone(), challenge, own_token(context), stored).await?;
        let connection = context.connection();
        self.tokens.end_other_logins(&user.id, own_token(context).as_ref(), connection).await?;
        self.users.changed(&user.id).await;
        let details = json!({ "name": passkey.name });
        self.factor.audit.record(AuditEvent::PasskeyAdded, Some(&user.id), connection, details).await;
        Ok((passkey, added.then_some(codes)))
    }

    /// Returns whether the backup codes were stored.
    async fn store(
        &self,
        _: &Proof,
        passkey: Passkey,
        challenge: UsedChallenge,
        login: Option<HashedToken>,
        codes: crate::store::BackupCodes,
    ) -> MethodResult<bool> {
        match self.factor.store.add_passkey(passkey, challenge, login, codes, MOST_PASSKEYS).await {
            Ok(PasskeyAdded::Added { with_backup_codes }) => Ok(with_backup_codes),
            Ok(PasskeyAdded::ChallengeUsed) => Err(invalid(Mistake::Challenge)),
            Ok(PasskeyAdded::TooMany) => Err(too_many()),
            Err(StoreError::Taken(_)) => {
                Err(MethodError::new("error-passkey-exists", "This passkey is registered already"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the passkeys of a user, the oldest first.
    pub(super) async fn list(&self, me: &SignedIn) -> MethodResult<Vec<Passkey>> {
        Ok(self.factor.store.passkeys_of(me.user()).await?)
    }

    /// Gives a passkey another name.
    ///
    /// # Errors
    /// `error-passkey-not-found` if the user does not have it.
    pub(super) async fn rename(&self, me: &SignedIn, id: &str, name: &str, _: &Proof) -> MethodResult<()> {
        let name = shown_name(name)?;
        if !self.factor.store.rename_passkey(me.user(), id, &name).await? {
            return Err(not_found());
        }
        let (connection, details) = (me.context().connection(), json!({ "name": name }));
        self.factor.audit.record(AuditEvent::PasskeyRenamed, Some(me.user()), connection, details).await;
        Ok(())
    }

    /// Removes a passkey. The other logins of the user end, since one of them may be of who has the passkey now.
    ///
    /// # Errors
    /// `error-passkey-not-found` if the user does not have it.
    pub(super) async fn remove(&self, me: &SignedIn, id: &str, _: &Proof) -> MethodResult<()> {
        let removed = self.factor.store.remove_passkey(me.user(), id).await?.ok_or_else(not_found)?;
        let connection = me.context().connection();
        self.tokens.end_other_logins(me.user(), own_token(me.context()).as_ref(), connection).await?;
        self.users.changed(me.user()).await;
        let details = json!({ "name": removed.name });
        self.factor.audit.record(AuditEvent::PasskeyRemoved, Some(me.user()), connection, details).await;
        Ok(())
    }
}

fn invalid(mistake: Mistake) -> MethodError {
    MethodError::new("error-passkey-invalid", format!("The passkey cannot be registered: {mistake}"))
}

fn too_many() -> MethodError {
    let reason = format!("You have {MOST_PASSKEYS} passkeys, and cannot have more. Remove one first");
    MethodError::new("error-too-many-passkeys", reason)
}

fn not_found() -> MethodError {
    MethodError::new("error-passkey-not-found", "You do not have this passkey")
}
