//! Values that are valid once: codes, links, challenges, steps. Of many parallel uses, exactly one succeeds.

use std::sync::Arc;

use bolide::clock::Timestamp;
use bolide::store::{
    BackupCodes, Challenge, CodePurpose, CodeTry, KeyedHash, Link, LinkPurpose, Passkey, PasskeyAdded, PasskeyUse,
    PasskeyUsed, Store, StoreError, Unique, UsedChallenge,
};
use bolide::store::{FailureRule, Kept, PasswordProof, StoredHash};
use futures::future::join_all;

use super::{ada, at, every_store};

every_store!(
    of_twenty_parallel_uses_exactly_one_succeeds,
    twenty_parallel_failures_are_all_counted,
    of_twenty_parallel_attempts_as_many_are_counted_as_the_limit_allows,
    only_the_latest_code_is_valid_until_it_expires,
    wrong_codes_invalidate_the_code,
    a_right_code_for_one_purpose_is_not_counted_against_another,
    a_link_invalidates_earlier_ones_with_the_same_purpose,
    expired_values_are_deleted,
    a_passkey_counts_up_and_takes_each_challenge_once,
);

fn hash(text: &str) -> KeyedHash {
    KeyedHash::new(text)
}

/// Runs the same operation twenty times in parallel. Returns the number of successes.
async fn winners<Attempt, Running>(store: &Arc<dyn Store>, attempt: Attempt) -> usize
where
    Attempt: Fn(Arc<dyn Store>) -> Running,
    Running: Future<Output = bool> + Send + 'static,
{
    let tasks = (0..20).map(|_| tokio::spawn(attempt(Arc::clone(store))));
    join_all(tasks).await.into_iter().filter(|won| *won.as_ref().unwrap()).count()
}

async fn of_twenty_parallel_uses_exactly_one_succeeds(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let fresh = async |store: Arc<dyn Store>| {
        store.put_email_code_unless_live(&"a".into(), CodePurpose::Call, hash("code"), at(1), at(9)).await.unwrap()
    };
    assert_eq!(winners(&store, fresh).await, 1);
    let code =
        async |store: Arc<dyn Store>| try_code(&store, CodePurpose::Call, &["code"], at(2)).await == CodeTry::Right;
    assert_eq!(winners(&store, code).await, 1);
    let step = async |store: Arc<dyn Store>| store.take_totp_step(&"a".into(), 7).await.unwrap();
    assert_eq!(winners(&store, step).await, 1);
    let backup = async |store: Arc<dyn Store>| store.take_backup_code(&"a".into(), &[hash("backup 1")]).await.unwrap();
    assert_eq!(winners(&store, backup).await, 1);
    store.put_link(link("link", LinkPurpose::ResetPassword, None)).await.unwrap();
    let link = async |store: Arc<dyn Store>| store.take_link(&hash("link")).await.unwrap();
    assert_eq!(winners(&store, link).await, 1);
    store.put_challenge(challenge()).await.unwrap();
    let challenge = async |store: Arc<dyn Store>| store.take_challenge(&hash("challenge")).await.unwrap();
    assert_eq!(winners(&store, challenge).await, 1);
    let passkey = async |store: Arc<dyn Store>| {
        store.use_passkey(used("passkey", 0, "nonce")).await.unwrap() == PasskeyUsed::Accepted
    };
    assert_eq!(winners(&store, passkey).await, 1);
    let added = async |store: Arc<dyn Store>| {
        let new = Passkey::new("new".into(), "a".into(), "New".into(), vec![1], at(1));
        let challenge = UsedChallenge::new(hash("registration"), at(9));
        let added = store.add_passkey(new, challenge, None, BackupCodes::default(), 9).await.unwrap();
        matches!(added, PasskeyAdded::Added { .. })
    };
    assert_eq!(winners(&store, added).await, 1);
    let password = async |store: Arc<dyn Store>| {
        let (old, new) = (StoredHash::new("a hash"), StoredHash::new("another"));
        let proof = PasswordProof::Present(&old);
        store.renew_password(&"a".into(), proof, new, Kept::Own(None)).await.unwrap().is_some()
    };
    assert_eq!(winners(&store, password).await, 1);
}

fn used(id: &str, counter: u32, challenge: &str) -> PasskeyUse {
    let challenge = UsedChallenge::new(hash(challenge), at(9));
    PasskeyUse::new(("a".into(), id.into()), counter, true, challenge, at(5))
}

async fn a_passkey_counts_up_and_takes_each_challenge_once(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let user = "a".into();
    let mut counting = Passkey::new("counting".into(), "a".into(), "Stick".into(), vec![1, 2], at(2));
    counting.counter = 3;
    counting.is_backup_eligible = true;
    counting.transports = vec!["nfc".into(), "usb".into()];
    let challenge = |name: &str| UsedChallenge::new(hash(name), at(9));
    let codes = || BackupCodes(vec![hash("of the passkey")]);
    let added = store.add_passkey(counting.clone(), challenge("1"), None, codes(), 2).await.unwrap();
    assert_eq!(added, PasskeyAdded::Added { with_backup_codes: false }, "there are two");
    assert_eq!(store.passkey("counting").await.unwrap(), Some(counting.clone()));
    assert_eq!(store.user(&user).await.unwrap().unwrap().passkeys, 2);
    let mut again = counting.clone();
    again.id = "other".into();
    assert_eq!(
        store.add_passkey(again.clone(), challenge("2"), None, codes(), 2).await.unwrap(),
        PasskeyAdded::TooMany
    );
    assert_eq!(store.add_passkey(again, challenge("1"), None, codes(), 9).await.unwrap(), PasskeyAdded::ChallengeUsed);
    let taken = store.add_passkey(counting, challenge("3"), None, codes(), 9).await.unwrap_err();
    assert!(matches!(taken, StoreError::Taken(Unique::Passkey)), "{taken}");
    for (counter, challenge, expected) in [
        (4, "4", PasskeyUsed::Accepted),
        (5, "4", PasskeyUsed::ChallengeUsed),
        (4, "5", PasskeyUsed::CounterTooLow),
        (0, "6", PasskeyUsed::CounterTooLow),
        (u32::MAX, "7", PasskeyUsed::Accepted),
    ] {
        assert_eq!(store.use_passkey(used("counting", counter, challenge)).await.unwrap(), expected, "{challenge}");
    }
    let now = store.passkey("counting").await.unwrap().unwrap();
    assert_eq!((now.counter, now.is_backed_up, now.last_used_at), (u32::MAX, true, Some(at(5))));
    assert_eq!(store.use_passkey(used("nobody's", 1, "8")).await.unwrap(), PasskeyUsed::Unknown);
    store.delete_expired_codes(at(9)).await.unwrap();
    assert_eq!(store.use_passkey(used("passkey", 0, "4")).await.unwrap(), PasskeyUsed::Accepted, "it has expired");
    // Backup codes stand beside the app or a passkey, and go with the last of them.
    assert!(store.rename_passkey(&user, "counting", "Ring").await.unwrap());
    assert!(!store.rename_passkey(&"b".into(), "counting", "Ring").await.unwrap());
    assert_eq!(store.remove_passkey(&"b".into(), "counting").await.unwrap(), None);
    assert_eq!(store.remove_passkey(&user, "counting").await.unwrap().unwrap().name, "Ring");
    store.remove_totp(&user).await.unwrap();
    assert_eq!(store.backup_codes_left(&user).await.unwrap(), 2);
    assert!(store.replace_backup_codes(&user, codes()).await.unwrap());
    assert_eq!(store.remove_passkeys(&user).await.unwrap(), 1);
    assert_eq!(store.backup_codes_left(&user).await.unwrap(), 0);
    assert!(!store.replace_backup_codes(&user, codes()).await.unwrap());
    assert_eq!(store.user(&user).await.unwrap().unwrap().passkeys, 0);
}

async fn twenty_parallel_failures_are_all_counted(store: Arc<dyn Store>) {
    let count = async |store: Arc<dyn Store>| store.count_attempt("key", rule(100), at(1)).await.unwrap().is_some();
    assert_eq!(winners(&store, count).await, 20);
    assert_eq!(store.attempts("key").await.unwrap().failures, 20);
}

async fn of_twenty_parallel_attempts_as_many_are_counted_as_the_limit_allows(store: Arc<dyn Store>) {
    let count = async |store: Arc<dyn Store>| store.count_attempt("key", rule(7), at(1)).await.unwrap().is_some();
    assert_eq!(winners(&store, count).await, 7);
}

fn rule(limit: u32) -> FailureRule {
    let hour = std::time::Duration::from_hours(1);
    FailureRule { limit, first_block: hour, longest_block: hour, forgotten_after: hour }
}

async fn only_the_latest_code_is_valid_until_it_expires(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let id = &"a".into();
    store.put_email_code(id, CodePurpose::Call, hash("first"), at(1), at(10)).await.unwrap();
    assert_eq!(store.email_code(id, CodePurpose::Login, at(2)).await.unwrap(), None);
    assert_eq!(try_code(&store, CodePurpose::Login, &["first"], at(2)).await, WRONG);
    assert!(!store.put_email_code_unless_live(id, CodePurpose::Call, hash("late"), at(2), at(20)).await.unwrap());
    store.put_email_code(id, CodePurpose::Call, hash("second"), at(2), at(20)).await.unwrap();
    assert_eq!(store.email_code(id, CodePurpose::Call, at(3)).await.unwrap().unwrap().expires_at, at(20));
    assert_eq!(try_code(&store, CodePurpose::Call, &["first"], at(3)).await, WRONG);
    assert_eq!(try_code(&store, CodePurpose::Call, &["second"], at(20)).await, WRONG);
    assert_eq!(store.email_code(id, CodePurpose::Call, at(20)).await.unwrap(), None);
    assert!(store.put_email_code_unless_live(id, CodePurpose::Call, hash("third"), at(20), at(30)).await.unwrap());
    let shown = ["under another key", "third"];
    assert_eq!(try_code(&store, CodePurpose::Call, &shown, at(21)).await, CodeTry::Right);
}

async fn wrong_codes_invalidate_the_code(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let id = &"a".into();
    let guess = async || try_code(&store, CodePurpose::Call, &["a guess"], at(1)).await;
    assert_eq!(guess().await, WRONG, "there is no code");
    store.put_email_code(id, CodePurpose::Call, hash("code"), at(1), at(10)).await.unwrap();
    assert_eq!((guess().await, guess().await), (WRONG, WRONG));
    assert_eq!(guess().await, CodeTry::Wrong { is_last: true });
    assert_eq!(try_code(&store, CodePurpose::Call, &["code"], at(2)).await, WRONG);
}

async fn a_right_code_for_one_purpose_is_not_counted_against_another(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let id = &"a".into();
    store.put_email_code(id, CodePurpose::Call, hash("code"), at(1), at(10)).await.unwrap();
    store.put_email_code(id, CodePurpose::Any, hash("any"), at(1), at(10)).await.unwrap();
    let shown = [CodePurpose::Call, CodePurpose::Any].map(|purpose| (purpose, vec![hash("any")]));
    assert_eq!(store.try_email_code(id, &shown, 3, at(2)).await.unwrap(), CodeTry::Right);
    assert_eq!(store.email_code(id, CodePurpose::Call, at(2)).await.unwrap().unwrap().failures, 0);
    assert_eq!(store.email_code(id, CodePurpose::Any, at(2)).await.unwrap(), None, "it is used up");
}

const WRONG: CodeTry = CodeTry::Wrong { is_last: false };

/// Tries a code of `ada` that ends after three wrong ones.
async fn try_code(store: &Arc<dyn Store>, purpose: CodePurpose, hashes: &[&str], now: Timestamp) -> CodeTry {
    let shown = [(purpose, hashes.iter().map(|text| hash(text)).collect())];
    store.try_email_code(&"a".into(), &shown, 3, now).await.unwrap()
}

async fn a_link_invalidates_earlier_ones_with_the_same_purpose(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let verify = |text: &str, address: &str| link(text, LinkPurpose::VerifyEmail, Some(address));
    for link in [
        link("reset 1", LinkPurpose::ResetPassword, None),
        link("enroll", LinkPurpose::EnrollAccount, None),
        verify("one", "one@example.com"),
        verify("two", "two@example.com"),
        link("reset 2", LinkPurpose::ResetPassword, Some("ada@example.com")),
        verify("one again", "one@example.com"),
    ] {
        store.put_link(link).await.unwrap();
    }
    let is_there = async |text: &str| store.link(&[hash("other key"), hash(text)]).await.unwrap().is_some();
    assert!(is_there("enroll").await && is_there("two").await && is_there("one again").await);
    assert!(!is_there("reset 1").await && !is_there("one").await);
    let expected = link("reset 2", LinkPurpose::ResetPassword, Some("ada@example.com"));
    assert_eq!(store.link(&[hash("reset 2")]).await.unwrap(), Some(expected));
    store.delete_links(&"a".into(), LinkPurpose::ResetPassword).await.unwrap();
    assert!(!is_there("reset 2").await && is_there("enroll").await);
}

async fn expired_values_are_deleted(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    store.put_link(link("link", LinkPurpose::ResetPassword, None)).await.unwrap();
    store.put_challenge(challenge()).await.unwrap();
    store.delete_expired_codes(at(8)).await.unwrap();
    assert_eq!(store.challenge(&[hash("challenge")]).await.unwrap(), Some(challenge()));
    store.delete_expired_codes(at(9)).await.unwrap();
    assert_eq!(store.link(&[hash("link")]).await.unwrap(), None);
    assert_eq!(store.challenge(&[hash("challenge")]).await.unwrap(), None);
}

fn link(text: &str, purpose: LinkPurpose, address: Option<&str>) -> Link {
    let mut link = Link::new(hash(text), "a".into(), purpose, at(1), at(9));
    link.address = address.map(str::to_owned);
    link
}

fn challenge() -> Challenge {
    Challenge::new(hash("challenge"), "a".into(), "email".to_owned(), at(1), at(9))
}
