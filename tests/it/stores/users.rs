//! Users.

use std::sync::Arc;

use bolide::store::{
    BackupCodes, CodePurpose, EmailAddress, HashedToken, Kept, KeyedHash, Namesakes, NewUser, PasswordProof,
    PendingTotp, Sealed, Store, StoreError, StoredHash, Totp, Unique, User, UserFilter,
};

use super::{ada, at, every_store, plain, session};

every_store!(
    a_user_is_returned_with_all_fields,
    names_addresses_and_ids_are_unique_and_a_rejected_user_leaves_no_rows,
    names_and_addresses_that_differ_in_case_only_come_in_and_are_found_exactly,
    each_change_applies_only_to_its_field_and_reports_a_missing_user,
    a_hash_is_replaced_only_if_it_is_the_one_that_was_compared,
    addresses_keep_their_order_and_belong_to_one_user,
    an_authenticator_app_is_confirmed_with_the_pending_secret,
    a_pending_app_ends_when_the_password_an_address_or_a_factor_changes,
    backup_codes_are_replaced_as_a_whole,
    lists_are_searched_literally_and_paged_in_order,
    a_removed_user_is_deleted_with_all_related_rows,
    a_text_with_the_character_zero_is_refused_and_found_nowhere,
);

async fn a_user_is_returned_with_all_fields(store: Arc<dyn Store>) {
    let new = ada();
    store.insert_user(new.clone()).await.unwrap();
    let stored = store.user(&"a".into()).await.unwrap().unwrap();
    assert_eq!(stored, new.user);
    assert_eq!(store.user_by_username("aDA").await.unwrap().as_ref(), Some(&stored));
    assert_eq!(store.user_by_address("SECOND@example.com").await.unwrap().as_ref(), Some(&stored));
    assert_eq!(store.tokens_of(&"a".into()).await.unwrap().len(), 2);
    assert_eq!(store.backup_codes_left(&"a".into()).await.unwrap(), 2);
    let mut pending = plain("b", "bob");
    let token = HashedToken::from_base64("one");
    pending.user.totp = Totp::Pending(PendingTotp::new(Sealed::new(*b"pending"), Some(token), at(3)));
    store.insert_user(pending.clone()).await.unwrap();
    assert_eq!(store.user(&"b".into()).await.unwrap(), Some(pending.user));
    assert_eq!(store.user(&"nobody".into()).await.unwrap(), None);
}

async fn names_addresses_and_ids_are_unique_and_a_rejected_user_leaves_no_rows(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let mut same_address = plain("b", "bob");
    same_address.user.emails = vec![EmailAddress::unverified("ADA@EXAMPLE.com")];
    let mut same_token = plain("b", "bob");
    same_token.tokens = vec![session("fresh", "b", at(9)), session("one", "b", at(9))];
    for (refused, expected) in [
        (plain("b", "ADA"), Unique::Username),
        (plain("b", "\u{ff41}da"), Unique::Username),
        (same_address, Unique::Address),
        (same_token, Unique::Token),
        (plain("a", "another"), Unique::UserId),
    ] {
        let Err(StoreError::Taken(what)) = store.insert_user(refused).await else { panic!("{expected} is taken") };
        assert_eq!(what, expected);
        assert_eq!(store.user(&"b".into()).await.unwrap(), None);
    }
    assert_eq!(store.token(&session("fresh", "b", at(9)).hashed).await.unwrap(), None);
    store.insert_user(plain("b", "bob")).await.unwrap();
    assert!(matches!(store.set_username(&"b".into(), "ada").await, Err(StoreError::Taken(Unique::Username))));
    assert!(store.set_username(&"a".into(), "ADA").await.unwrap(), "one's own name in another case is free");
}

/// Returns ada's namesake in lower case, who comes from another server.
fn namesake() -> NewUser {
    let mut namesake = plain("n", "ada");
    namesake.user.emails = vec![EmailAddress::unverified("ada@example.com")];
    namesake.namesakes = Namesakes::Allowed;
    namesake
}

async fn names_and_addresses_that_differ_in_case_only_come_in_and_are_found_exactly(store: Arc<dyn Store>) {
    let taken = |outcome: Result<_, StoreError>| match outcome {
        Err(StoreError::Taken(what)) => what,
        other => panic!("{other:?}"),
    };
    store.insert_user(ada()).await.unwrap();
    let mut refused = namesake();
    refused.namesakes = Namesakes::Refused;
    assert_eq!(taken(store.insert_user(refused).await.map(|()| true)), Unique::Username);
    store.insert_user(namesake()).await.unwrap();
    let mut equal = namesake();
    equal.user.id = "equal".into();
    assert_eq!(taken(store.insert_user(equal.clone()).await.map(|()| true)), Unique::Username);
    equal.user.username = None;
    assert_eq!(taken(store.insert_user(equal).await.map(|()| true)), Unique::Address);

    let id = |user: Option<User>| user.map(|user| user.id.as_str().to_owned());
    for (name, expected) in [("Ada", Some("a")), ("ada", Some("n")), ("ADA", None), ("aDa", None)] {
        assert_eq!(id(store.user_by_username(name).await.unwrap()).as_deref(), expected, "{name}");
        let address = format!("{name}@example.com");
        assert_eq!(id(store.user_by_address(&address).await.unwrap()).as_deref(), expected, "{address}");
    }
    let (a, n) = ("a".into(), "n".into());
    assert_eq!(taken(store.set_username(&n, "ADA").await), Unique::Username);
    assert!(store.set_username(&n, "ada").await.unwrap(), "one's own name may stay");
    let variant = || EmailAddress::unverified("ADA@example.com");
    assert_eq!(taken(store.add_email(&n, variant()).await), Unique::Address);
    assert_eq!(taken(store.replace_email(&n, Some("ada@example.com"), variant()).await), Unique::Address);
    assert!(store.add_email(&n, EmailAddress::verified("ada@example.com")).await.unwrap(), "it is verified now");
    store.insert_user(plain("b", "bob")).await.unwrap();
    assert_eq!(taken(store.set_username(&"b".into(), "aDA").await), Unique::Username);
    assert_eq!(taken(store.add_email(&"b".into(), variant()).await), Unique::Address);
    assert!(
        store.is_username_taken("ADA", &a).await.unwrap()
            && store.is_address_taken("ADA@example.com", &a).await.unwrap()
    );

    assert!(store.delete_user(&a).await.unwrap());
    assert_eq!(id(store.user_by_username("ADA").await.unwrap()).as_deref(), Some("n"), "there is only one now");
    assert_eq!(id(store.user_by_address("Ada@Example.com").await.unwrap()).as_deref(), Some("n"));
    assert!(
        !store.is_username_taken("ADA", &n).await.unwrap()
            && !store.is_address_taken("ADA@example.com", &n).await.unwrap()
    );
    assert_eq!(taken(store.insert_user(plain("c", "ADA")).await.map(|()| true)), Unique::Username);
    assert!(store.set_username(&n, "ADA").await.unwrap() && store.add_email(&n, variant()).await.unwrap());
}

async fn each_change_applies_only_to_its_field_and_reports_a_missing_user(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let mut expected = ada().user;
    let (id, nobody) = (&"a".into(), &"nobody".into());
    let other = plain("x", "x").user.fields;
    assert!(store.set_username(id, "Grace").await.unwrap());
    expected.username = Some("Grace".into());
    assert!(store.set_profile(id, None).await.unwrap());
    expected.profile = None;
    assert!(store.replace_profile(id, None, &other).await.unwrap());
    assert!(!store.replace_profile(id, None, &other).await.unwrap(), "it is not empty any more");
    assert!(store.replace_profile(id, Some(&other), &ada().user.fields).await.unwrap());
    expected.profile = Some(ada().user.fields);
    assert!(store.set_fields(id, other.clone()).await.unwrap());
    expected.fields = other.clone();
    assert!(store.set_roles(id, vec!["admin".into()]).await.unwrap());
    expected.roles = vec!["admin".into()];
    assert!(store.set_active(id, true).await.unwrap());
    expected.is_active = true;
    assert!(store.set_password(id, StoredHash::new("new")).await.unwrap());
    (expected.password, expected.must_change_password) = (Some(StoredHash::new("new")), false);
    assert!(store.set_email_codes(id, false).await.unwrap());
    assert!(!store.set_email_codes(id, false).await.unwrap(), "they were off already");
    expected.has_email_codes = false;
    assert_eq!(store.user(id).await.unwrap(), Some(expected));
    assert!(store.remove_username(id).await.unwrap());
    assert!(!store.remove_username(id).await.unwrap(), "it is gone already");
    assert_eq!(store.user_by_username("grace").await.unwrap(), None);
    store.insert_user(plain("g", "grace")).await.unwrap();
    assert!(!store.set_username(nobody, "x").await.unwrap());
    assert!(!store.remove_username(nobody).await.unwrap());
    assert!(!store.set_profile(nobody, None).await.unwrap());
    assert!(!store.replace_profile(nobody, None, &other).await.unwrap());
    assert!(!store.set_fields(nobody, other).await.unwrap());
    assert!(!store.set_roles(nobody, vec![]).await.unwrap());
    assert!(!store.set_active(nobody, true).await.unwrap());
    assert!(!store.set_password(nobody, StoredHash::new("x")).await.unwrap());
    assert!(!store.set_email_codes(nobody, true).await.unwrap());
}

async fn a_hash_is_replaced_only_if_it_is_the_one_that_was_compared(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let (id, old, new) = (&"a".into(), &StoredHash::new("a hash"), StoredHash::new("same password"));
    assert!(store.replace_password(id, old, new.clone()).await.unwrap());
    assert!(!store.replace_password(id, old, StoredHash::new("late")).await.unwrap());
    let user = store.user(id).await.unwrap().unwrap();
    assert_eq!((user.password, user.must_change_password), (Some(new.clone()), true));
    let renew = async |proof: &StoredHash, new: &str| {
        let proof = PasswordProof::Present(proof);
        store.renew_password(id, proof, StoredHash::new(new), Kept::Nothing).await.unwrap().is_some()
    };
    assert!(!renew(old, "late").await);
    assert!(renew(&new, "another password").await);
    let user = store.user(id).await.unwrap().unwrap();
    assert_eq!((user.password, user.must_change_password), (Some(StoredHash::new("another password")), false));
}

async fn addresses_keep_their_order_and_belong_to_one_user(store: Arc<dyn Store>) {
    let verified = |address: &str| EmailAddress::verified(address);
    let unverified = |address: &str| EmailAddress::unverified(address);
    store.insert_user(ada()).await.unwrap();
    store.insert_user(plain("b", "bob")).await.unwrap();
    let (id, other) = (&"a".into(), &"b".into());
    assert!(store.add_email(id, unverified("third@example.com")).await.unwrap());
    assert!(store.add_email(id, unverified("ADA@example.com")).await.unwrap());
    assert!(store.verify_email(id, "SECOND@example.com").await.unwrap());
    let expected = [verified("ADA@example.com"), verified("second@example.com"), unverified("third@example.com")];
    assert_eq!(store.user(id).await.unwrap().unwrap().emails, expected);
    let taken = store.add_email(other, verified("third@EXAMPLE.com")).await;
    assert!(matches!(taken, Err(StoreError::Taken(Unique::Address))));
    assert!(!store.verify_email(other, "third@example.com").await.unwrap());
    assert!(!store.remove_email(other, "third@example.com").await.unwrap());
    assert!(store.remove_email(id, "Third@example.com").await.unwrap());
    assert!(store.add_email(other, verified("third@example.com")).await.unwrap());
    assert!(!store.add_email(&"nobody".into(), verified("fourth@example.com")).await.unwrap());
}

async fn an_authenticator_app_is_confirmed_with_the_pending_secret(store: Arc<dyn Store>) {
    store.insert_user(plain("a", "ada")).await.unwrap();
    let (id, secret, codes) = (&"a".into(), Sealed::new(*b"secret"), || BackupCodes(vec![KeyedHash::new("code")]));
    let begun = |secret: &[u8], token: &str, since| {
        PendingTotp::new(Sealed::new(secret), Some(HashedToken::from_base64(token)), at(since))
    };
    let pending = begun(b"secret", "own", 2);
    let state = async || store.user(id).await.unwrap().unwrap().totp;
    assert!(!store.confirm_totp(id, &pending, 5, codes()).await.unwrap());
    assert!(store.begin_totp(id, begun(b"earlier", "own", 1)).await.unwrap());
    assert!(store.begin_totp(id, pending.clone()).await.unwrap());
    for other in [begun(b"earlier", "own", 1), begun(b"secret", "other", 2), begun(b"secret", "own", 1)] {
        assert!(!store.confirm_totp(id, &other, 5, codes()).await.unwrap());
    }
    let without_token = PendingTotp::new(secret.clone(), None, at(2));
    assert!(!store.confirm_totp(id, &without_token, 5, codes()).await.unwrap());
    assert_eq!(state().await, Totp::Pending(pending.clone()));
    assert!(!store.take_totp_step(id, 9).await.unwrap(), "a pending app does not accept codes");
    assert!(store.confirm_totp(id, &pending, 5, codes()).await.unwrap());
    assert_eq!(state().await, Totp::On(secret.clone()));
    assert!(!store.begin_totp(id, begun(b"another", "own", 3)).await.unwrap());
    assert!(!store.take_totp_step(id, 5).await.unwrap(), "the step of the first code is used up");
    assert!(store.take_totp_step(id, 6).await.unwrap());
    assert!(!store.take_totp_step(id, 4).await.unwrap());
    assert_eq!(store.totp_secrets().await.unwrap(), [("a".into(), secret.clone())]);
    assert!(store.reseal_totp(id, &secret, Sealed::new(*b"resealed")).await.unwrap());
    assert!(!store.reseal_totp(id, &secret, Sealed::new(*b"late")).await.unwrap());
    assert_eq!(state().await, Totp::On(Sealed::new(*b"resealed")));
    assert!(store.remove_totp(id).await.unwrap());
    assert!(!store.remove_totp(id).await.unwrap());
    assert_eq!((state().await, store.backup_codes_left(id).await.unwrap()), (Totp::Off, 0));
}

async fn a_pending_app_ends_when_the_password_an_address_or_a_factor_changes(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let (id, hash) = (&"a".into(), || StoredHash::new("new"));
    store.remove_totp(id).await.unwrap();
    let pending = PendingTotp::new(Sealed::new(*b"secret"), None, at(2));
    let begin = async || assert!(store.begin_totp(id, pending.clone()).await.unwrap());
    let has_ended = async |what: &str| {
        assert_eq!(store.user(id).await.unwrap().unwrap().totp, Totp::Off, "{what}");
        assert!(!store.confirm_totp(id, &pending, 5, BackupCodes::default()).await.unwrap(), "{what}");
        begin().await;
    };
    begin().await;
    assert!(store.set_password(id, hash()).await.unwrap());
    has_ended("set_password").await;
    let renewed = store.renew_password(id, PasswordProof::Granted, StoredHash::new("newer"), Kept::Own(None)).await;
    assert!(renewed.unwrap().is_some());
    has_ended("renew_password").await;
    assert!(store.add_email(id, EmailAddress::unverified("third@example.com")).await.unwrap());
    has_ended("add_email").await;
    assert!(store.verify_email(id, "third@example.com").await.unwrap());
    has_ended("verify_email").await;
    assert!(store.remove_email(id, "third@example.com").await.unwrap());
    has_ended("remove_email").await;
    let had_codes = store.user(id).await.unwrap().unwrap().has_email_codes;
    assert!(store.set_email_codes(id, !had_codes).await.unwrap());
    has_ended("set_email_codes").await;
    assert!(store.remove_totp(id).await.unwrap());
    has_ended("remove_totp").await;
    assert!(!store.remove_email(id, "nobody@example.com").await.unwrap());
    assert!(store.replace_password(id, &StoredHash::new("newer"), StoredHash::new("rehashed")).await.unwrap());
    let now = store.user(id).await.unwrap().unwrap().totp;
    assert_eq!(now, Totp::Pending(pending.clone()), "another hash of the same password changes nothing");
}

async fn backup_codes_are_replaced_as_a_whole(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    store.insert_user(plain("b", "bob")).await.unwrap();
    let hash = KeyedHash::new;
    assert!(!store.take_backup_code(&"b".into(), &[hash("backup 1")]).await.unwrap(), "it is another user's");
    assert!(store.replace_backup_codes(&"a".into(), BackupCodes(vec![hash("new")])).await.unwrap());
    assert!(!store.take_backup_code(&"a".into(), &[hash("backup 1")]).await.unwrap());
    assert!(store.take_backup_code(&"a".into(), &[hash("under another key"), hash("new")]).await.unwrap());
    assert_eq!(store.backup_codes_left(&"a".into()).await.unwrap(), 0);
    assert!(!store.replace_backup_codes(&"b".into(), BackupCodes(vec![hash("x")])).await.unwrap());
}

async fn lists_are_searched_literally_and_paged_in_order(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    for (id, name) in [("b", "bob_by"), ("c", "bobxby"), ("d", "zoe")] {
        store.insert_user(plain(id, name)).await.unwrap();
    }
    let list = async |filter: UserFilter| {
        let page = store.users(UserFilter { limit: filter.limit.max(1), ..filter }).await.unwrap();
        (page.users.iter().map(|user| user.id.to_string()).collect::<Vec<_>>(), page.total)
    };
    let search = |text: &str| UserFilter { search: Some(text.into()), limit: 10, ..UserFilter::default() };
    assert_eq!(
        list(UserFilter { limit: 2, offset: 1, ..UserFilter::default() }).await,
        (vec!["b".into(), "c".into()], 4)
    );
    assert_eq!(list(search("BOB_")).await, (vec!["b".into()], 1));
    assert_eq!(list(search("100%")).await, (vec!["a".into()], 1));
    assert_eq!(list(search("SECOND@")).await, (vec!["a".into()], 1));
    assert_eq!(list(search("%")).await, (vec!["a".into()], 1));
    assert_eq!(list(search("' OR 1=1 --")).await, (vec![], 0));
    let with_role = UserFilter { role: Some("cashier".into()), limit: 10, ..UserFilter::default() };
    assert_eq!(list(with_role).await, (vec!["a".into()], 1));
    let with_part = UserFilter { role: Some("cash".into()), limit: 10, ..UserFilter::default() };
    assert_eq!(list(with_part).await, (vec![], 0));
}

async fn a_removed_user_is_deleted_with_all_related_rows(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let id = &"a".into();
    store.put_email_code(id, CodePurpose::Call, KeyedHash::new("code"), at(1), at(100)).await.unwrap();
    assert!(store.delete_user(id).await.unwrap());
    assert!(!store.delete_user(id).await.unwrap());
    assert_eq!(store.token(&session("one", "a", at(9)).hashed).await.unwrap(), None);
    assert_eq!(store.user_by_address("ada@example.com").await.unwrap(), None);
    assert_eq!(store.email_code(id, CodePurpose::Call, at(2)).await.unwrap(), None);
    store.insert_user(ada()).await.unwrap();
}

async fn a_text_with_the_character_zero_is_refused_and_found_nowhere(store: Arc<dyn Store>) {
    let zero = "a\0b";
    for refused in [plain(zero, "ada"), plain("b", zero)] {
        let error = store.insert_user(refused).await.unwrap_err();
        assert!(matches!(&error, StoreError::Failed(_)) && error.to_string().contains("U+0000"), "{error}");
    }
    store.insert_user(ada()).await.unwrap();
    assert!(store.set_username(&"a".into(), zero).await.is_err());
    assert!(store.add_email(&"a".into(), EmailAddress::unverified(zero)).await.is_err());
    // In a further field it is escaped.
    assert!(store.set_field(&"a".into(), "name", Some(zero.into())).await.unwrap());
    let stored = store.user(&"a".into()).await.unwrap().unwrap();
    assert_eq!(stored.fields.get("name").and_then(bolide::prelude::Ejson::as_str), Some(zero));
    assert_eq!(store.user(&zero.into()).await.unwrap(), None);
    assert_eq!(store.user_by_username(zero).await.unwrap(), None);
    assert_eq!(store.user_by_address(zero).await.unwrap(), None);
    assert!(!store.is_username_taken(zero, &"b".into()).await.unwrap());
    assert!(!store.is_address_taken(zero, &"b".into()).await.unwrap());
    let found = store.users(UserFilter { search: Some(zero.into()), limit: 9, ..UserFilter::default() }).await.unwrap();
    assert_eq!(found.total, 0);
}
