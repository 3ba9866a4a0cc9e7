//! Values that are valid once: codes, links, challenges, steps. Of many parallel uses, exactly one succeeds.

use std::sync::Arc;

use bolide::store::{Challenge, CodePurpose, KeyedHash, Link, LinkPurpose, Store};
use bolide::store::{EmailAddress, FailureRule, RoleLoss, StoredHash};
use futures::future::join_all;

use super::{File, ada, at, every_store, plain};

every_store!(
    of_twenty_parallel_uses_exactly_one_succeeds,
    twenty_parallel_failures_are_all_counted,
    only_the_latest_code_is_valid_until_it_expires,
    wrong_codes_invalidate_the_code,
    a_link_invalidates_earlier_ones_with_the_same_purpose,
    expired_values_are_deleted,
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
    let code = async |store: Arc<dyn Store>| {
        store.take_email_code(&"a".into(), CodePurpose::Call, &[hash("code")], at(2)).await.unwrap()
    };
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
    let password = async |store: Arc<dyn Store>| {
        let (old, new) = (StoredHash::new("a hash"), StoredHash::new("another"));
        store.exchange_password(&"a".into(), &old, new).await.unwrap()
    };
    assert_eq!(winners(&store, password).await, 1);
}

async fn twenty_parallel_failures_are_all_counted(store: Arc<dyn Store>) {
    let count = async |store: Arc<dyn Store>| store.count_failure("key", rule(100), at(1)).await.is_ok();
    assert_eq!(winners(&store, count).await, 20);
    assert_eq!(store.attempts("key").await.unwrap().failures, 20);
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
    assert!(!store.take_email_code(id, CodePurpose::Login, &[hash("first")], at(2)).await.unwrap());
    assert!(!store.put_email_code_unless_live(id, CodePurpose::Call, hash("late"), at(2), at(20)).await.unwrap());
    store.put_email_code(id, CodePurpose::Call, hash("second"), at(2), at(20)).await.unwrap();
    assert_eq!(store.email_code(id, CodePurpose::Call, at(3)).await.unwrap().unwrap().expires_at, at(20));
    assert!(!store.take_email_code(id, CodePurpose::Call, &[hash("first")], at(3)).await.unwrap());
    assert!(!store.take_email_code(id, CodePurpose::Call, &[hash("second")], at(20)).await.unwrap());
    assert_eq!(store.email_code(id, CodePurpose::Call, at(20)).await.unwrap(), None);
    assert!(store.put_email_code_unless_live(id, CodePurpose::Call, hash("third"), at(20), at(30)).await.unwrap());
    assert!(
        store
            .take_email_code(id, CodePurpose::Call, &[hash("under another key"), hash("third")], at(21))
            .await
            .unwrap()
    );
}

async fn wrong_codes_invalidate_the_code(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let id = &"a".into();
    assert_eq!(store.fail_email_code(id, CodePurpose::Call, 2, at(1)).await.unwrap(), None);
    store.put_email_code(id, CodePurpose::Call, hash("code"), at(1), at(10)).await.unwrap();
    assert_eq!(store.fail_email_code(id, CodePurpose::Call, 2, at(1)).await.unwrap(), Some(1));
    assert_eq!(store.fail_email_code(id, CodePurpose::Call, 2, at(1)).await.unwrap(), Some(2));
    assert!(!store.take_email_code(id, CodePurpose::Call, &[hash("code")], at(2)).await.unwrap());
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

/// Adds two admins to a file that two pools have open, and lets each of two tasks run one of these changes.
async fn race_of_two(name: &str, first: (&str, RoleLoss), second: (&str, RoleLoss)) -> (usize, usize) {
    let file = File::new(name);
    let (one, other) = (file.open().await, file.open_again().await);
    for id in ["a", "b"] {
        let mut admin = plain(id, id);
        admin.user.roles = vec!["admin".into()];
        one.insert_user(admin).await.unwrap();
    }
    let run = async |store: Arc<dyn Store>, (id, change): (&str, RoleLoss)| {
        let id = id.into();
        tokio::spawn(async move { store.change_unless_last(&id, change, "admin").await.unwrap() })
    };
    let tasks = [run(Arc::clone(&one), first).await, run(other, second).await];
    let won = join_all(tasks).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    let mut admins = 0;
    for id in ["a", "b"] {
        let user = file_user(&one, id).await;
        admins += usize::from(user.is_some_and(|user| user.is_active && user.has_role("admin")));
    }
    (won, admins)
}

/// Reads a user past the cache of the store, which another pool does not tell of its writes.
async fn file_user(store: &Arc<dyn Store>, id: &str) -> Option<bolide::store::User> {
    store.user_by_username(id).await.unwrap()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_that_demote_deactivate_or_remove_the_other_admin_exactly_one_succeeds() {
    let demotion = || RoleLoss::Roles { from: vec!["admin".into()], to: Vec::new() };
    let changes = [demotion(), RoleLoss::Deactivation, RoleLoss::Deletion];
    for (round, (first, second)) in
        changes.iter().flat_map(|first| changes.iter().map(move |second| (first, second))).enumerate()
    {
        let name = format!("last-admin-{round}");
        let outcome = race_of_two(&name, ("a", first.clone()), ("b", second.clone())).await;
        assert_eq!(outcome, (1, 1), "{first:?} {second:?}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_changes_of_an_address_or_of_roles_exactly_one_succeeds_and_fields_are_all_kept() {
    let file = File::new("fields");
    let (one, other) = (file.open().await, file.open_again().await);
    one.insert_user(ada()).await.unwrap();
    let stores = [one, other];
    let id = || "a".into();

    let replace = |number: usize| {
        let (store, id) = (Arc::clone(&stores[number % 2]), id());
        tokio::spawn(async move {
            let new = EmailAddress::unverified(format!("new{number}@example.com"));
            store.replace_email(&id, Some("Ada@example.com"), new).await.unwrap()
        })
    };
    let won = join_all((0..10).map(replace)).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    assert_eq!(won, 1);

    let from = vec!["user".to_owned(), "cashier".to_owned()];
    let set_roles = |number: usize| {
        let (store, id) = (Arc::clone(&stores[number % 2]), id());
        let change = RoleLoss::Roles { from: from.clone(), to: vec![format!("role{number}")] };
        tokio::spawn(async move { store.change_unless_last(&id, change, "admin").await.unwrap() })
    };
    let won = join_all((0..10).map(set_roles)).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    assert_eq!(won, 1);

    let set_field = |number: usize| {
        let (store, id) = (Arc::clone(&stores[number % 2]), id());
        tokio::spawn(async move { store.set_field(&id, &format!("field{number}"), Some(1.into())).await.unwrap() })
    };
    let set = join_all((0..10).map(set_field)).await.into_iter().filter(|set| *set.as_ref().unwrap()).count();
    assert_eq!(set, 10);
    let user = file_user(&stores[0], "Ada").await.unwrap();
    assert_eq!(user.emails.len(), 2);
    assert!(user.emails[0].address.starts_with("new"), "it takes the place of the first");
    assert_eq!(user.fields.len(), 12);
}
