//! Failure counters, settings, the audit log, waiting mails, and persistence in a file.

use std::sync::Arc;
use std::time::Duration;

use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::mail::{Mail, MailKind, MailSeal, MailState, NextAttempt, SealedMail};
use bolide::store::{AuditEntry, AuditFilter, FailureRule, OpenError, SqlStore, Store};
use futures::future::join_all;

use super::databases::file;
use super::{ada, at, every_store};

every_store!(
    failures_block_for_a_growing_time_and_expire,
    blocks_of_equal_length_are_followed_by_a_count_from_zero,
    a_refund_gives_back_one_attempt_of_the_same_count_and_its_block,
    a_refund_does_not_end_the_block_of_a_later_failure,
    settings_are_kept_until_they_are_reset,
    the_audit_log_can_be_filtered_and_paged_backwards,
    equal_audit_entries_are_merged_and_the_oldest_make_room,
    a_mail_is_leased_to_one_worker_and_to_another_if_that_one_dies,
);

async fn failures_block_for_a_growing_time_and_expire(store: Arc<dyn Store>) {
    let seconds = Duration::from_secs;
    let rule =
        FailureRule { limit: 2, first_block: seconds(10), longest_block: seconds(15), forgotten_after: seconds(100) };
    let count = async |key: &str, now| store.count_attempt(key, rule, at(now)).await.unwrap();
    let block = async |now| count("key", now).await.map(|counted| counted.blocked_until);
    assert_eq!(block(0).await, Some(None));
    assert_eq!(block(0).await, Some(Some(at(10))));
    assert_eq!(block(9).await, None, "it is blocked");
    let blocked = store.attempts("key").await.unwrap();
    assert_eq!((blocked.failures, blocked.blocked_until), (2, Some(at(10))), "a block does not grow while it lasts");
    assert_eq!(block(10).await, Some(Some(at(25))));
    assert_eq!(block(25).await, Some(Some(at(40))), "a block has a maximum");
    assert_eq!(store.attempts("another").await.unwrap().failures, 0);
    assert_eq!(count("key", 200).await.unwrap().failures, 1);
    store.delete_old_failures(at(200), at(300), 100).await.unwrap();
    assert_eq!(store.attempts("key").await.unwrap().failures, 1);
    for number in 0..20 {
        assert!(count(&format!("other {number}"), 300 + number).await.is_some());
    }
    for _ in 0..2 {
        assert!(count("blocked", 299).await.is_some());
    }
    store.delete_old_failures(at(0), at(300), 6).await.unwrap();
    let left = async |key: &str| store.attempts(key).await.unwrap().failures;
    assert_eq!(
        (left("key").await, left("other 14").await, left("other 15").await, left("other 19").await),
        (0, 0, 1, 1)
    );
    assert_eq!(left("blocked").await, 2, "a block lasts");
    assert!(count("key", 400).await.is_some());
    store.forget_failures("key").await.unwrap();
    assert_eq!(left("key").await, 0);
}

async fn blocks_of_equal_length_are_followed_by_a_count_from_zero(store: Arc<dyn Store>) {
    let rule = steady_rule();
    for round in [0, 10] {
        for failures in 1..=3 {
            assert_eq!(store.count_attempt("key", rule, at(round)).await.unwrap().unwrap().failures, failures);
        }
        assert_eq!(store.count_attempt("key", rule, at(round + 9)).await.unwrap(), None);
    }
}

async fn a_refund_gives_back_one_attempt_of_the_same_count_and_its_block(store: Arc<dyn Store>) {
    let rule = steady_rule();
    let count = async |now| store.count_attempt("key", rule, at(now)).await.unwrap();
    let (first, _second, last) = (count(0).await.unwrap(), count(0).await.unwrap(), count(0).await.unwrap());
    assert_eq!(count(1).await, None);
    assert!(store.refund_attempt("key", last, rule).await.unwrap());
    assert_eq!(store.attempts("key").await.unwrap().blocked_until, None);
    // Again three are counted, and no more.
    assert!(count(2).await.is_some());
    assert_eq!(count(2).await, None);
    // After the block, the attempt from before gives nothing to the new count.
    let _third = count(20).await.unwrap();
    assert!(!store.refund_attempt("key", first, rule).await.unwrap());
    assert_eq!(store.attempts("key").await.unwrap().failures, 1);
}

async fn a_refund_does_not_end_the_block_of_a_later_failure(store: Arc<dyn Store>) {
    let seconds = Duration::from_secs;
    let rule =
        FailureRule { limit: 1, first_block: seconds(10), longest_block: seconds(80), forgotten_after: seconds(1000) };
    let slow = store.count_attempt("key", rule, at(0)).await.unwrap().unwrap();
    let _failed = store.count_attempt("key", rule, at(10)).await.unwrap().unwrap();
    assert!(store.refund_attempt("key", slow, rule).await.unwrap());
    let left = store.attempts("key").await.unwrap();
    assert_eq!((left.failures, left.blocked_until), (1, Some(at(30))));
}

fn steady_rule() -> FailureRule {
    let block = Duration::from_secs(10);
    FailureRule { limit: 3, first_block: block, longest_block: block, forgotten_after: Duration::from_secs(100) }
}

async fn settings_are_kept_until_they_are_reset(store: Arc<dyn Store>) {
    store.put_setting("a", "1", at(1)).await.unwrap();
    store.put_setting("b", "\"x\"", at(1)).await.unwrap();
    store.put_setting("a", "2", at(2)).await.unwrap();
    let mut all = store.settings().await.unwrap();
    all.sort();
    assert_eq!(all, [("a".into(), "2".into()), ("b".into(), "\"x\"".into())]);
    store.delete_setting("a").await.unwrap();
    assert_eq!(store.settings().await.unwrap(), [("b".into(), "\"x\"".into())]);
}

async fn equal_audit_entries_are_merged_and_the_oldest_make_room(store: Arc<dyn Store>) {
    let entry = |number: i64, key: Option<&str>| {
        let mut entry = AuditEntry::new(at(number), "login.failed");
        entry.merge_key = key.map(str::to_owned);
        entry
    };
    for number in 0..1_000 {
        store.record(vec![entry(number, Some("one"))], 10).await.unwrap();
    }
    store.record(vec![entry(1_000, Some("two")), entry(1_001, None)], 10).await.unwrap();
    let all = async || store.audit(AuditFilter { limit: 100, ..AuditFilter::default() }).await.unwrap();
    let counts: Vec<_> = all().await.iter().map(|entry| (entry.at, entry.count)).collect();
    assert_eq!(counts, [(at(1_001), 1), (at(1_000), 1), (at(0), 1_000)]);

    store.record((0..30).map(|number| entry(2_000 + number, None)).collect(), 10).await.unwrap();
    let left = all().await;
    assert_eq!((left.len(), left.last().unwrap().at), (10, at(2_020)));
}

async fn the_audit_log_can_be_filtered_and_paged_backwards(store: Arc<dyn Store>) {
    let entry = |number: i64, event: &str, user: Option<&str>| {
        let mut entry = AuditEntry::new(at(number), event);
        entry.user = user.map(Into::into);
        entry.address = Some("192.0.2.1".into());
        entry
    };
    let entries =
        [(1, "login.failed", Some("a")), (2, "login.blocked", Some("b")), (3, "logout", Some("a")), (4, "x%", None)];
    store.record(entries.map(|(number, event, user)| entry(number, event, user)).to_vec(), 100).await.unwrap();
    let list = async |filter: AuditFilter| {
        let found = store.audit(AuditFilter { limit: filter.limit.max(1), ..filter }).await.unwrap();
        found.iter().map(|entry| entry.at.milliseconds() / 1000).collect::<Vec<_>>()
    };
    let all = || AuditFilter { limit: 10, ..AuditFilter::default() };
    assert_eq!(list(all()).await, [4, 3, 2, 1]);
    assert_eq!(list(AuditFilter { user: Some("a".into()), ..all() }).await, [3, 1]);
    assert_eq!(list(AuditFilter { event: Some("login.".into()), ..all() }).await, [2, 1]);
    assert_eq!(list(AuditFilter { event: Some("%".into()), ..all() }).await, [] as [i64; 0]);
    let latest = store.audit(AuditFilter { limit: 2, ..AuditFilter::default() }).await.unwrap();
    assert_eq!(list(AuditFilter { before: Some(latest[1].id), ..all() }).await, [2, 1]);
    assert_eq!(store.delete_audit(at(3)).await.unwrap(), 2);
    assert_eq!(list(all()).await, [4, 3]);
}

async fn a_mail_is_leased_to_one_worker_and_to_another_if_that_one_dies(store: Arc<dyn Store>) {
    let mail = mail("Hello");
    let id = store.add(&mail, at(1)).await.unwrap();
    let claims = (0..20).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.claim(at(1), at(60), 10).await.unwrap() })
    });
    let claimed: Vec<_> = join_all(claims).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].id, &claimed[0].mail), (id, &mail));
    assert!(store.claim(at(59), at(100), 10).await.unwrap().is_empty());
    assert_eq!(store.claim(at(60), at(100), 10).await.unwrap().len(), 1);
    store.failed(id, "550 no such user", NextAttempt::Never, at(61)).await.unwrap();
    assert!(store.claim(at(500), at(600), 10).await.unwrap().is_empty());
    let listed = store.list(10).await.unwrap();
    assert_eq!((listed[0].failures, listed[0].state), (1, MailState::GivenUp(at(61))));
    assert!(store.retry(id, at(62)).await.unwrap());
    assert_eq!(store.count_waiting().await.unwrap(), 1);
    store.sent(id).await.unwrap();
    assert!(store.list(10).await.unwrap().is_empty());
    assert!(!store.retry(id, at(63)).await.unwrap());
    assert!(!store.discard(id).await.unwrap());
}

#[tokio::test]
async fn a_file_is_persistent_and_can_be_open_in_one_store_at_a_time() {
    let file = file("kept");
    let address = file.address();
    let store = file.open().await;
    store.insert_user(ada()).await.unwrap();
    store.put_setting("a", "1", at(1)).await.unwrap();
    assert!(matches!(SqlStore::open(&address).await, Err(OpenError::InUse(_))));
    drop(store);
    let store = file.open().await;
    assert_eq!(store.user(&"a".into()).await.unwrap(), Some(ada().user));
    assert_eq!(store.settings().await.unwrap().len(), 1);
}

pub(super) fn mail(subject: &str) -> SealedMail {
    let mut mail = Mail::new(vec!["ada@example.com".into()], MailKind::Test, subject, "Text");
    mail.html = Some("<p>Text</p>".into());
    mail.expires_at = Some(at(1000));
    MailSeal::new(Arc::new(KeyRing::generate(&SystemChance)), Arc::new(SystemChance)).seal(&mail)
}
