//! Changes that two nodes make at once: two pools of one database, of which exactly one wins.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bolide::store::{
    BackupCodes, CodePurpose, CodeTry, EmailAddress, FailureRule, HashedToken, KeyedHash, Link, LinkPurpose,
    PasskeyUse, PasskeyUsed, RoleLoss, Store, UsedChallenge, User,
};
use futures::future::join_all;

use super::{Database, ada, at, every_shared_database, plain, session};

every_shared_database!(
    of_two_that_demote_deactivate_or_remove_the_other_admin_exactly_one_succeeds,
    of_two_changes_of_an_address_or_of_roles_exactly_one_succeeds_and_fields_are_all_kept,
    of_two_who_take_a_name_or_an_address_in_different_cases_exactly_one_succeeds,
    attempts_through_two_pools_use_exactly_the_budget,
    codes_by_mail_are_compared_as_often_as_the_limit_allows,
    of_two_uses_of_a_challenge_or_of_a_counter_exactly_one_succeeds,
    each_mail_is_claimed_by_one_of_two_workers,
    tokens_codes_addresses_and_links_are_replaced_as_a_whole,
);

/// Adds two admins, and lets each of two tasks run one of these changes.
async fn race_of_two(
    stores: &[Arc<dyn Store>; 2],
    first: (&str, RoleLoss),
    second: (&str, RoleLoss),
) -> (usize, usize) {
    let [one, other] = stores;
    for id in ["a", "b"] {
        one.delete_user(&id.into()).await.unwrap();
        let mut admin = plain(id, id);
        admin.user.roles = vec!["admin".into()];
        one.insert_user(admin).await.unwrap();
    }
    let run = |store: Arc<dyn Store>, (id, change): (&str, RoleLoss)| {
        let id = id.into();
        tokio::spawn(async move { store.change_unless_last(&id, change, "admin").await.unwrap() })
    };
    let tasks = [run(Arc::clone(one), first), run(Arc::clone(other), second)];
    let won = join_all(tasks).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    let mut admins = 0;
    for id in ["a", "b"] {
        let user = file_user(one, id).await;
        admins += usize::from(user.is_some_and(|user| user.is_active && user.has_role("admin")));
    }
    (won, admins)
}

async fn of_two_uses_of_a_challenge_or_of_a_counter_exactly_one_succeeds(database: Database) {
    let stores = [database.open().await, database.open_again().await];
    stores[0].insert_user(ada()).await.unwrap();
    for round in 1..=20_u32 {
        // One challenge, with two counters; then one counter, with two challenges.
        for uses in [[(2 * round, 0), (2 * round, 0)], [(2 * round + 1, 1), (2 * round + 1, 2)]] {
            let tasks = stores.iter().zip(uses).map(|(store, (counter, challenge))| {
                let store = Arc::clone(store);
                let challenge = UsedChallenge::new(KeyedHash::new(format!("{round} {challenge}")), at(9));
                let used = PasskeyUse::new(("a".into(), "passkey".into()), counter, false, challenge, at(2));
                tokio::spawn(async move { store.use_passkey(used).await.unwrap() == PasskeyUsed::Accepted })
            });
            let won = join_all(tasks).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
            assert_eq!(won, 1, "{uses:?}");
        }
    }
}

/// Reads a user past the cache of the store, which another pool does not tell of its writes.
async fn file_user(store: &Arc<dyn Store>, id: &str) -> Option<User> {
    store.user_by_username(id).await.unwrap()
}

async fn of_two_that_demote_deactivate_or_remove_the_other_admin_exactly_one_succeeds(database: Database) {
    let stores = [database.open().await, database.open_again().await];
    let demotion = || RoleLoss::Roles { from: vec!["admin".into()], to: Vec::new() };
    let changes = [demotion(), RoleLoss::Deactivation, RoleLoss::Deletion];
    for (first, second) in changes.iter().flat_map(|first| changes.iter().map(move |second| (first, second))) {
        for _ in 0..5 {
            let outcome = race_of_two(&stores, ("a", first.clone()), ("b", second.clone())).await;
            assert_eq!(outcome, (1, 1), "{first:?} {second:?}");
        }
    }
}

async fn of_two_changes_of_an_address_or_of_roles_exactly_one_succeeds_and_fields_are_all_kept(database: Database) {
    let (one, other) = (database.open().await, database.open_again().await);
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

async fn of_two_who_take_a_name_or_an_address_in_different_cases_exactly_one_succeeds(database: Database) {
    let stores = [database.open().await, database.open_again().await];
    stores[0].insert_user(plain("x", "x")).await.unwrap();
    stores[0].insert_user(plain("y", "y")).await.unwrap();
    for round in 0..10 {
        let store = |number: usize| Arc::clone(&stores[number]);
        let signs_up = |number: usize, name: String, address: Option<String>| {
            let mut new = plain(&format!("{round}-{number}"), &name);
            new.user.emails = address.into_iter().map(EmailAddress::unverified).collect();
            let store = store(number);
            tokio::spawn(async move { store.insert_user(new).await.is_ok() })
        };
        let by_name = [signs_up(0, format!("Zed{round}"), None), signs_up(1, format!("zeD{round}"), None)];
        assert_eq!(won(by_name).await, 1, "by name");
        let [one, other] = [format!("A{round}@example.com"), format!("a{round}@example.com")];
        let by_address =
            [signs_up(0, format!("one{round}"), Some(one)), signs_up(1, format!("other{round}"), Some(other))];
        assert_eq!(won(by_address).await, 1, "by address");
        let changes = |number: usize, id: &'static str, name: String| {
            let store = store(number);
            tokio::spawn(async move { store.set_username(&id.into(), &name).await.is_ok() })
        };
        let by_change = [changes(0, "x", format!("Name{round}")), changes(1, "y", format!("nAME{round}"))];
        assert_eq!(won(by_change).await, 1, "by a change");
    }
}

async fn attempts_through_two_pools_use_exactly_the_budget(database: Database) {
    let stores = [database.open().await, database.open_again().await];
    let block = Duration::from_hours(1);
    let rule = FailureRule { limit: 30, first_block: block, longest_block: block, forgotten_after: block };
    let fails = |number: usize| {
        let store = Arc::clone(&stores[number % 2]);
        tokio::spawn(async move { store.count_attempt("key", rule, at(1)).await.unwrap().is_some() })
    };
    let failed = join_all((0..100).map(fails)).await.into_iter().filter(|counted| *counted.as_ref().unwrap()).count();
    assert_eq!(failed, 30);

    // Those that are refunded leave room for as many others, and for no more.
    let refunds = |number: usize| {
        let store = Arc::clone(&stores[number % 2]);
        tokio::spawn(async move {
            let Some(counted) = store.count_attempt("another", rule, at(1)).await.unwrap() else { return true };
            number % 4 > 1 || store.refund_attempt("another", counted, rule).await.unwrap()
        })
    };
    assert!(join_all((0..100).map(refunds)).await.into_iter().all(|done| done.unwrap()));
    let left = stores[0].attempts("another").await.unwrap();
    assert!(left.failures <= 30 && left.is_blocked(at(1)) == (left.failures == 30), "{left:?}");
}

async fn codes_by_mail_are_compared_as_often_as_the_limit_allows(database: Database) {
    let stores = [database.open().await, database.open_again().await];
    stores[0].insert_user(plain("a", "ada")).await.unwrap();
    let id = &"a".into();
    stores[0].put_email_code(id, CodePurpose::Call, KeyedHash::new("code"), at(1), at(9)).await.unwrap();
    let guess = |number: usize| {
        let store = Arc::clone(&stores[number % 2]);
        tokio::spawn(async move {
            let shown = [(CodePurpose::Call, vec![KeyedHash::new(format!("guess {number}"))])];
            store.try_email_code(&"a".into(), &shown, 5, at(2)).await.unwrap()
        })
    };
    let outcomes = join_all((0..60).map(guess)).await;
    let last = outcomes.into_iter().filter(|outcome| *outcome.as_ref().unwrap() == CodeTry::Wrong { is_last: true });
    assert_eq!(last.count(), 1, "the fifth ends the code");
    assert_eq!(stores[1].email_code(id, CodePurpose::Call, at(2)).await.unwrap(), None);
}

async fn each_mail_is_claimed_by_one_of_two_workers(database: Database) {
    let stores = [database.open().await, database.open_again().await];
    for number in 0..2_000 {
        stores[0].add(&super::others::mail(&number.to_string()), at(1)).await.unwrap();
    }
    let works = |number: usize| {
        let store = Arc::clone(&stores[number % 2]);
        tokio::spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let mails = store.claim(at(2), at(100), 7).await.unwrap();
                if mails.is_empty() {
                    return claimed;
                }
                claimed.extend(mails.into_iter().map(|mail| mail.id));
            }
        })
    };
    let claimed: Vec<_> = join_all((0..4).map(works)).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!((claimed.len(), claimed.into_iter().collect::<HashSet<_>>().len()), (2_000, 2_000));
}

async fn tokens_codes_addresses_and_links_are_replaced_as_a_whole(database: Database) {
    let stores = [database.open().await, database.open_again().await];
    stores[0].insert_user(ada()).await.unwrap();
    let store = |number: usize| Arc::clone(&stores[number % 2]);

    let renews = |number: usize| {
        let store = store(number);
        tokio::spawn(async move {
            let hashed = HashedToken::from_base64(format!("new {number}"));
            store.replace_personal_token(&"a".into(), "ci", hashed, "tail".into(), at(2)).await.unwrap()
        })
    };
    let ended =
        join_all((0..20).map(renews)).await.into_iter().map(|ended| ended.unwrap().unwrap().as_str().to_owned());
    assert_eq!(ended.collect::<HashSet<_>>().len(), 20, "each replaces the one before, so no token ends unnoticed");

    let replaces = |number: usize| {
        let store = store(number);
        tokio::spawn(async move {
            let codes = (0..10).map(|code| KeyedHash::new(format!("{number}-{code}"))).collect();
            store.replace_backup_codes(&"a".into(), BackupCodes(codes)).await.unwrap()
        })
    };
    assert!(join_all((0..20).map(replaces)).await.into_iter().all(|replaced| replaced.unwrap()));
    assert_eq!(stores[0].backup_codes_left(&"a".into()).await.unwrap(), 10, "those of one of them");

    let links = |number: usize| {
        let store = store(number);
        tokio::spawn(async move {
            let hash = KeyedHash::new(format!("link {number}"));
            store.put_link(Link::new(hash, "a".into(), LinkPurpose::ResetPassword, at(1), at(9))).await.unwrap();
        })
    };
    assert!(join_all((0..20).map(links)).await.into_iter().all(|put| put.is_ok()));
    let hashes: Vec<_> = (0..20).map(|number| KeyedHash::new(format!("link {number}"))).collect();
    let left = join_all(hashes.iter().map(|hash| stores[0].link(std::slice::from_ref(hash)))).await;
    assert_eq!(left.into_iter().filter(|link| link.as_ref().unwrap().is_some()).count(), 1, "the last one");

    let adds = |number: usize| {
        let store = store(number);
        tokio::spawn(async move {
            let new = EmailAddress::unverified(format!("more{number}@example.com"));
            store.add_email(&"a".into(), new).await.unwrap()
        })
    };
    assert!(join_all((0..20).map(adds)).await.into_iter().all(|added| added.unwrap()));
    let user = file_user(&stores[0], "Ada").await.unwrap();
    assert_eq!(user.emails.len(), 22);

    // A token that ends while its successor is made leaves none behind.
    for round in 0..20 {
        let own = format!("own {round}");
        stores[0].insert_token(session(&own, "a", at(100))).await.unwrap();
        let (ends, makes) = (store(0), store(1));
        let own = HashedToken::from_base64(own);
        let ends = tokio::spawn(async move { ends.delete_session_tokens(&"a".into(), None).await.unwrap() });
        let successor = session(&format!("successor {round}"), "a", at(100));
        let makes = tokio::spawn(async move { makes.insert_token_beside(&own, successor).await.unwrap() });
        let (ended, was_made) = (ends.await.unwrap(), makes.await.unwrap());
        assert_eq!(ended.iter().filter(|token| token.as_str().starts_with("successor")).count(), usize::from(was_made));
        let left = stores[0].tokens_of(&"a".into()).await.unwrap();
        assert!(left.iter().all(|token| token.expires_at().is_none()), "those of integrations are left");
    }
}

async fn won(tasks: [tokio::task::JoinHandle<bool>; 2]) -> usize {
    join_all(tasks).await.into_iter().filter(|won| *won.as_ref().unwrap()).count()
}
