//! [`PasswordHasher`]: hashes passwords, and compares them with stored hashes.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use argon2::PasswordHasher as _;

use super::permits::{HashingLine, HashingLines, HashingPermits, HashingPlace};
use super::{HashingCost, Password, PasswordHash};
use crate::accounts::turns::{Busy, LineBounds};
use crate::call::MethodError;
use crate::chance::Chance;

const SALT_LENGTH: usize = 16;

/// Hashes passwords with argon2id, and verifies argon2id and bcrypt. The work runs on a few threads of its own, and not
/// on those that serve connections.
///
/// ```
/// use std::sync::Arc;
/// use bolide::accounts::password::{Password, PasswordHasher, Verification};
/// use bolide::chance::SystemChance;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hasher = PasswordHasher::new(Arc::new(SystemChance));
/// let stored = hasher.hash(&Password::from_plain("correct horse")).await?;
///
/// assert_eq!(hasher.verify(&Password::from_plain("correct horse"), Some(&stored)).await, Verification::Right);
/// assert_eq!(hasher.verify(&Password::from_plain("battery staple"), Some(&stored)).await, Verification::Wrong);
/// # Ok(())
/// # }
/// ```
pub struct PasswordHasher {
    cost: HashingCost,
    permits: HashingPermits,
    chance: Arc<dyn Chance>,
}

/// The outcome of comparing a password with a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verification {
    /// The password is wrong, or there is no stored hash.
    Wrong,
    /// The password is right.
    Right,
    /// The password is right, and the stored hash should be replaced: a new one has another scheme or cost.
    RightButOutdated,
}

/// Why a hash could not be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashingError {
    /// The machine has not enough memory, or the server is being shut down.
    #[error("a password hash could not be computed: there is not enough memory, or the server is being shut down")]
    Failed,
    /// Too many passwords wait to be hashed.
    #[error(
        "too many passwords wait to be hashed; the limits `waiting_passwords` and `waiting_passwords_per_network` bound them"
    )]
    Busy,
}

impl PasswordHasher {
    /// Makes a hasher with OWASP's cost. The default number of threads is the number of cores less one, and at least one.
    #[must_use]
    pub fn new(chance: Arc<dyn Chance>) -> Self {
        Self { cost: HashingCost::default(), permits: HashingPermits::new(HashingPermits::default_count()), chance }
    }

    /// Sets the cost of new hashes. Tests use a low one.
    #[must_use]
    pub fn with_cost(self, cost: HashingCost) -> Self {
        Self { cost, ..self }
    }

    /// Sets the maximum number of hashes that are computed at once. Each uses a core for tens of milliseconds, and the
    /// memory that its cost says.
    #[must_use]
    pub fn with_threads(self, threads: NonZeroUsize) -> Self {
        Self { permits: HashingPermits::new(threads), ..self }
    }

    /// Sets how many passwords may wait to be hashed, in each line.
    pub(in crate::accounts) fn with_bounds(self, bounds: LineBounds) -> Self {
        Self { permits: self.permits.with_bounds(bounds), ..self }
    }

    pub(in crate::accounts) fn lines(&self) -> HashingLines {
        self.permits.lines()
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// [`HashingError`] if there is not enough memory, too many passwords wait, or the server is being shut down.
    pub async fn hash(&self, password: &Password) -> Result<PasswordHash, HashingError> {
        self.hash_in(HashingLine::NewPassword.of(None), password).await
    }

    /// The same for a call that waits in a line.
    pub(in crate::accounts) async fn hash_in(
        &self,
        place: HashingPlace,
        password: &Password,
    ) -> Result<PasswordHash, HashingError> {
        let (cost, salt, password) = (self.cost.clone(), self.new_salt(), password.clone());
        self.permits.run(place, move || argon2id(cost, &salt, &password)).await?
    }

    /// Returns whether `stored` is the hash of this password. If `stored` is `None`, because there is no such user or the
    /// user has no password, a hash is computed as well, so that the response time does not reveal which users there are.
    ///
    /// If the hash cannot be computed, the password counts as wrong, and the error is logged.
    pub async fn verify(&self, password: &Password, stored: Option<&PasswordHash>) -> Verification {
        let outcome = self.verify_in(HashingLine::Login.of(None), password, stored).await;
        outcome.unwrap_or_else(|error| {
            tracing::error!(%error, "a password that may be right was refused");
            Verification::Wrong
        })
    }

    /// The same for a call that waits in a line.
    pub(in crate::accounts) async fn verify_in(
        &self,
        place: HashingPlace,
        password: &Password,
        stored: Option<&PasswordHash>,
    ) -> Result<Verification, HashingError> {
        match stored {
            Some(stored) => self.compare(place, password, stored).await,
            None => self.hash_in(place, password).await.map(|_| Verification::Wrong),
        }
    }

    async fn compare(
        &self,
        place: HashingPlace,
        password: &Password,
        stored: &PasswordHash,
    ) -> Result<Verification, HashingError> {
        let is_outdated = stored.is_outdated(&self.cost);
        let (password, stored) = (password.clone(), stored.clone());
        Ok(match self.permits.run(place, move || stored.matches(&password)).await? {
            false => Verification::Wrong,
            true if is_outdated => Verification::RightButOutdated,
            true => Verification::Right,
        })
    }

    fn new_salt(&self) -> [u8; SALT_LENGTH] {
        let mut salt = [0; SALT_LENGTH];
        self.chance.fill(&mut salt);
        salt
    }
}

impl HashingError {
    /// Returns what a client is told.
    pub(in crate::accounts) fn for_call(self) -> MethodError {
        match self {
            Self::Busy => Busy.into(),
            Self::Failed => self.into(),
        }
    }
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PasswordHasher").field("cost", &self.cost).finish_non_exhaustive()
    }
}

fn argon2id(cost: HashingCost, salt: &[u8], password: &Password) -> Result<PasswordHash, HashingError> {
    let hash = cost.argon2().hash_password_with_salt(password.digest(), salt).map_err(|_| HashingError::Failed)?;
    Ok(PasswordHash::of_argon2id(hash, cost))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::{PasswordHasher, Verification};
    use crate::accounts::password::{HashingCost, Password, PasswordHash, Scheme};
    use crate::chance::Chance;

    const PASSWORD: &str = "correct horse battery staple";

    /// Bytes that count up, so that a test sees how many salts were drawn.
    #[derive(Default)]
    struct Counting {
        drawn: AtomicU8,
    }

    impl Chance for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.drawn.fetch_add(1, Ordering::SeqCst) + 1);
        }
    }

    fn hasher() -> (PasswordHasher, Arc<Counting>) {
        let chance = Arc::new(Counting::default());
        (PasswordHasher::new(Arc::clone(&chance) as _).with_cost(HashingCost::new(64, 1, 1).unwrap()), chance)
    }

    async fn verify(password: &str, stored: &str) -> Verification {
        let stored: PasswordHash = stored.parse().unwrap();
        hasher().0.verify(&Password::from_plain(password), Some(&stored)).await
    }

    #[tokio::test]
    async fn what_was_hashed_is_right_and_all_else_wrong() {
        let (hasher, _) = hasher();
        let stored = hasher.hash(&Password::from_plain(PASSWORD)).await.unwrap();
        let read: PasswordHash = stored.as_str().parse().unwrap();

        assert_eq!(read.scheme(), Scheme::Argon2id);
        assert_eq!(hasher.verify(&Password::from_plain(PASSWORD), Some(&read)).await, Verification::Right);
        assert_eq!(hasher.verify(&Password::from_plain("Correct horse"), Some(&read)).await, Verification::Wrong);
    }

    #[tokio::test]
    async fn new_hashes_have_owasp_s_cost_unless_it_is_set() {
        let hasher = PasswordHasher::new(Arc::new(Counting::default()));
        let stored = hasher.hash(&Password::from_plain(PASSWORD)).await.unwrap();

        assert!(
            stored.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQEBAQEBAQEBAQ$"),
            "{}",
            stored.as_str()
        );
    }

    #[tokio::test]
    async fn every_hash_has_a_salt_of_its_own() {
        let (hasher, _) = hasher();
        let password = Password::from_plain(PASSWORD);

        assert_ne!(hasher.hash(&password).await.unwrap().as_str(), hasher.hash(&password).await.unwrap().as_str());
    }

    /// Made with Python's bcrypt from the SHA-256 digest in hexadecimal, as Meteor's servers do.
    #[tokio::test]
    async fn bcrypt_hashes_of_meteor_s_servers_are_right_but_outdated() {
        for stored in [
            "$2a$04$HFjgVwBVFPvOotRUeZb/BODdZ3DfIEbCZEtFcsH1EqMvSoGq2m30W",
            "$2b$04$O7umtOhUaHjGespmyt8muueQur/QbjmNOQLGA5JnGAGjOjpQcletS",
            "$2b$10$RT7M0QhSFAGVS97/RD4E3uydcke0ZmLlkSa838wNiA0hjGeaQlWOG",
        ] {
            assert_eq!(verify(PASSWORD, stored).await, Verification::RightButOutdated, "{stored}");
            assert_eq!(verify("correct horse", stored).await, Verification::Wrong, "{stored}");
        }
    }

    /// Made with Python's argon2-cffi from the SHA-256 digest in hexadecimal.
    #[tokio::test]
    async fn argon2id_hashes_of_another_implementation_are_right() {
        let same_cost =
            "$argon2id$v=19$m=64,t=1,p=1$86PDIzEx6IHopL6pfeiXrg$b1tjxO1wsY22SLzVGtOZ+q7qMPnd5S/97i+jrdtulk8";
        assert_eq!(verify(PASSWORD, same_cost).await, Verification::Right);
        assert_eq!(verify("correct horse", same_cost).await, Verification::Wrong);

        let other_cost =
            "$argon2id$v=19$m=19456,t=2,p=1$R2jUEXwo/VjWAIM5P7TaVQ$5t22rM19Sa9Wz61Dkl9KyofYnMDAXerPJThInTVFXN0";
        assert_eq!(verify(PASSWORD, other_cost).await, Verification::RightButOutdated);
        assert_eq!(verify("correct horse", other_cost).await, Verification::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_another_length_is_outdated() {
        let shorter = "$argon2id$v=19$m=64,t=1,p=1$p8WfD+Dfpo1zsIDwav5L8A$b/1j+rJPrXgWbNIlNLB5qA";

        assert_eq!(verify(PASSWORD, shorter).await, Verification::RightButOutdated);
    }

    #[tokio::test]
    async fn an_unknown_user_costs_a_hash_and_is_wrong() {
        let (hasher, chance) = hasher();

        assert_eq!(hasher.verify(&Password::from_plain(PASSWORD), None).await, Verification::Wrong);
        assert_eq!(chance.drawn.load(Ordering::SeqCst), 1);
    }
}
