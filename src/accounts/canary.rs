//! Recognizes whether the keys are those of the database. With other keys, a server would find all codes, links and secrets
//! wrong, and seal new ones that no other node can open.

use super::secrets::totp_owner;
use super::{AccountsError, Store};
use crate::chance::Chance;
use crate::keys::KeyRing;
use crate::store::StoreError;

/// What the canary is sealed for.
const OWNER: &str = "canary";

/// The sealed text. Only that it can be opened matters.
const TEXT: &[u8] = b"bolide";

/// Opens the canary, which the first server that opens the database stores.
///
/// # Errors
/// [`AccountsError::OtherKeys`] if it was sealed with a key that is not among these.
pub(super) async fn recognize(store: &dyn Store, keys: &KeyRing, chance: &dyn Chance) -> Result<(), AccountsError> {
    if store.canary().await?.is_none() {
        if !opens_secrets(store, keys).await? {
            return Err(AccountsError::OtherKeys);
        }
        store.put_canary(keys.seal(TEXT, OWNER, chance)).await?;
    }
    // If two servers start at once, it is the canary of the other one.
    match store.canary().await? {
        Some(sealed) if keys.open(&sealed, OWNER).is_none() => Err(AccountsError::OtherKeys),
        _ => Ok(()),
    }
}

/// Opens the canary without storing one.
///
/// # Errors
/// [`AccountsError::OtherKeys`] if the keys are not those of the database.
pub(super) async fn check(store: &dyn Store, keys: &KeyRing) -> Result<(), AccountsError> {
    let fits = match store.canary().await? {
        Some(sealed) => keys.open(&sealed, OWNER).is_some(),
        None => opens_secrets(store, keys).await?,
    };
    if fits { Ok(()) } else { Err(AccountsError::OtherKeys) }
}

/// Seals the canary with the current key.
pub(super) async fn reseal(store: &dyn Store, keys: &KeyRing, chance: &dyn Chance) -> Result<(), StoreError> {
    match store.canary().await? {
        Some(sealed) if !keys.is_current(&sealed) => {
            store.reseal_canary(&sealed, keys.seal(TEXT, OWNER, chance)).await.map(drop)
        }
        _ => Ok(()),
    }
}

/// Returns whether the keys open one of the secrets in a database without a canary, which an older version has written.
async fn opens_secrets(store: &dyn Store, keys: &KeyRing) -> Result<bool, StoreError> {
    let secrets = store.totp_secrets().await?;
    let opens = secrets.iter().any(|(user, sealed)| keys.open(sealed, &totp_owner(user)).is_some());
    Ok(secrets.is_empty() || opens)
}
