//! Changes that two nodes make at once: two pools of one file, of which exactly one wins.

use std::sync::Arc;

use bolide::store::{EmailAddress, RoleLoss, Store, User};
use futures::future::join_all;

use super::{File, ada, plain};

/// Adds two admins to a file that two pools have open, and lets each of two tasks run one of these changes.
async fn race_of_two(name: &str, first: (&str, RoleLoss), second: (&str, RoleLoss)) -> (usize, usize) {
    let file = File::new(name);
    let (one, other) = (file.open().await, file.open_again().await);
    for id in ["a", "b"] {
        let mut admin = plain(id, id);
        admin.user.roles = vec!["admin".into()];
        one.insert_user(admin).await.unwrap();
    }
    let run = |store: Arc<dyn Store>, (id, change): (&str, RoleLoss)| {
        let id = id.into();
        tokio::spawn(async move { store.change_unless_last(&id, change, "admin").await.unwrap() })
    };
    let tasks = [run(Arc::clone(&one), first), run(other, second)];
    let won = join_all(tasks).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    let mut admins = 0;
    for id in ["a", "b"] {
        let user = file_user(&one, id).await;
        admins += usize::from(user.is_some_and(|user| user.is_active && user.has_role("admin")));
    }
    (won, admins)
}

/// Reads a user past the cache of the store, which another pool does not tell of its writes.
async fn file_user(store: &Arc<dyn Store>, id: &str) -> Option<User> {
    store.user_by_username(id).await.unwrap()
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_take_a_name_or_an_address_in_different_cases_exactly_one_succeeds() {
    let file = File::new("namesakes");
    let stores = [file.open().await, file.open_again().await];
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

async fn won(tasks: [tokio::task::JoinHandle<bool>; 2]) -> usize {
    join_all(tasks).await.into_iter().filter(|won| *won.as_ref().unwrap()).count()
}
