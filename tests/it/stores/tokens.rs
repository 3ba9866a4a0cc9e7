//! Login tokens.

use std::sync::Arc;

use bolide::store::{
    ClientSighting, Fingerprint, HashedToken, Kept, KeyedHash, Store, StoreError, TokenKind, Trust, Unique,
};

use super::{ada, at, every_store, personal, plain, session};

every_store!(
    a_token_is_returned_unchanged_and_stored_once,
    logins_are_removed_except_one_and_those_of_integrations,
    a_personal_token_is_removed_and_replaced_by_name,
    trust_is_stored_and_removed,
    expired_logins_are_deleted,
    a_revoked_login_leaves_no_tokens_that_derive_from_it,
    clients_are_known_once_they_were_seen_and_the_latest_fifty_are_kept,
    tokens_and_users_that_have_ended_are_found,
);

fn hashed(text: &str) -> HashedToken {
    HashedToken::from_base64(text)
}

async fn a_token_is_returned_unchanged_and_stored_once(store: Arc<dyn Store>) {
    store.insert_user(plain("a", "ada")).await.unwrap();
    store.insert_user(plain("b", "bob")).await.unwrap();
    let trust = Trust::new(at(2), at(3), Fingerprint(vec![1, 2]));
    let mut token = session("one", "a", at(100));
    (token.trust, token.last_used_at) = (Some(trust), Some(at(4)));
    store.insert_token(token.clone()).await.unwrap();
    assert_eq!(store.token(&hashed("one")).await.unwrap(), Some(token));
    assert!(matches!(store.insert_token(session("one", "b", at(9))).await, Err(StoreError::Taken(Unique::Token))));
    store.insert_token(personal("two", "a", "ci")).await.unwrap();
    assert!(matches!(store.insert_token(personal("three", "a", "ci")).await, Err(StoreError::Taken(Unique::Token))));
    store.insert_token(personal("three", "b", "ci")).await.unwrap();
    assert!(store.insert_token(session("four", "nobody", at(9))).await.is_err());
    store.touch_token(&hashed("two"), at(5), None, Some("curl".into())).await.unwrap();
    let touched = store.token(&hashed("two")).await.unwrap().unwrap();
    assert_eq!(
        (touched.last_used_at, touched.last_address, touched.last_user_agent.as_deref()),
        (Some(at(5)), None, Some("curl"))
    );
    assert!(store.delete_token(&hashed("one")).await.unwrap());
    assert!(!store.delete_token(&hashed("one")).await.unwrap());
}

async fn a_revoked_login_leaves_no_tokens_that_derive_from_it(store: Arc<dyn Store>) {
    store.insert_user(plain("a", "ada")).await.unwrap();
    store.insert_user(plain("b", "bob")).await.unwrap();
    store.insert_token(session("of bob", "b", at(9))).await.unwrap();
    assert!(!store.insert_token_beside(&hashed("of bob"), session("stolen", "a", at(9))).await.unwrap());
    for round in 0..20 {
        let own = hashed(&format!("own {round}"));
        store.insert_token(session(own.as_str(), "a", at(9))).await.unwrap();
        let makers = (0..8).map(|maker| {
            let (store, own) = (Arc::clone(&store), own.clone());
            tokio::spawn(async move {
                for number in 0.. {
                    let new = session(&format!("{round} {maker} {number}"), "a", at(9));
                    if !store.insert_token_beside(&own, new).await.unwrap() {
                        return;
                    }
                }
            })
        });
        let makers: Vec<_> = makers.collect();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        store.delete_session_tokens(&"a".into(), None).await.unwrap();
        for maker in makers {
            maker.await.unwrap();
        }
        assert_eq!(store.tokens_of(&"a".into()).await.unwrap(), [], "round {round}");
    }
}

async fn logins_are_removed_except_one_and_those_of_integrations(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    store.insert_user(plain("b", "bob")).await.unwrap();
    for token in [session("three", "a", at(9)), session("four", "a", at(9)), session("five", "b", at(9))] {
        store.insert_token(token).await.unwrap();
    }
    let id = &"a".into();
    let mut removed = store.delete_session_tokens(id, Some(&hashed("three"))).await.unwrap();
    removed.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    assert_eq!(removed, [hashed("four"), hashed("one")]);
    assert_eq!(store.delete_session_tokens(id, None).await.unwrap(), [hashed("three")]);
    assert_eq!(store.end_access(id, Kept::Nothing).await.unwrap(), [hashed("two")]);
    assert!(store.token(&hashed("five")).await.unwrap().is_some());
}

async fn a_personal_token_is_removed_and_replaced_by_name(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let id = &"a".into();
    let replaced = store.replace_personal_token(id, "ci", hashed("new"), "xyz".into(), at(7)).await.unwrap();
    assert_eq!(replaced, Some(hashed("two")));
    let token = store.token(&hashed("new")).await.unwrap().unwrap();
    let kind = TokenKind::Personal { name: "ci".into(), last_part: "xyz".into(), bypasses_two_factor: true };
    assert_eq!((token.kind, token.created_at), (kind, at(7)));
    assert_eq!(store.token(&hashed("two")).await.unwrap(), None);
    assert_eq!(store.replace_personal_token(id, "no", hashed("x"), "y".into(), at(7)).await.unwrap(), None);
    assert_eq!(store.delete_personal_token(id, "ci").await.unwrap(), Some(hashed("new")));
    assert_eq!(store.delete_personal_token(id, "ci").await.unwrap(), None);
}

async fn trust_is_stored_and_removed(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    let trust = Trust::new(at(2), at(3), Fingerprint(vec![1, 2]));
    assert!(store.trust_token(&hashed("one"), trust.clone()).await.unwrap());
    assert!(!store.trust_token(&hashed("nowhere"), trust.clone()).await.unwrap());
    assert_eq!(store.token(&hashed("one")).await.unwrap().unwrap().trust, Some(trust));
    store.distrust_tokens(&"a".into()).await.unwrap();
    assert_eq!(store.token(&hashed("one")).await.unwrap().unwrap().trust, None);
}

async fn expired_logins_are_deleted(store: Arc<dyn Store>) {
    store.insert_user(ada()).await.unwrap();
    assert_eq!(store.delete_expired_tokens(at(99)).await.unwrap(), []);
    assert_eq!(store.delete_expired_tokens(at(100)).await.unwrap(), [hashed("one")]);
    assert_eq!(store.tokens_of(&"a".into()).await.unwrap().len(), 1, "the one of an integration never ends");
}

async fn clients_are_known_once_they_were_seen_and_the_latest_fifty_are_kept(store: Arc<dyn Store>) {
    store.insert_user(plain("a", "ada")).await.unwrap();
    store.insert_user(plain("b", "bob")).await.unwrap();
    let note = async |user: &str, hashes: &[String], second| {
        let hashes: Vec<KeyedHash> = hashes.iter().map(KeyedHash::new).collect();
        store.note_client(&user.into(), &hashes, at(second)).await.unwrap()
    };
    let client = |number: i64| vec![format!("new key:{number}"), format!("old key:{number}")];
    assert_eq!(note("a", &client(0)[1..], 0).await, ClientSighting::First);
    assert_eq!(note("a", &client(0), 1).await, ClientSighting::Known, "it was noted under an older key");
    assert_eq!(note("b", &client(0), 1).await, ClientSighting::First, "users do not share clients");
    for number in 1..=50 {
        assert_eq!(note("a", &client(number), 1 + number).await, ClientSighting::New);
    }
    assert_eq!(note("a", &client(1), 60).await, ClientSighting::Known);
    assert_eq!(note("a", &client(0), 61).await, ClientSighting::New, "the one that was seen first is forgotten");
    assert_eq!(note("a", &client(2), 62).await, ClientSighting::New, "and then the next one");
    assert_eq!(note("a", &client(1), 63).await, ClientSighting::Known);
}

async fn tokens_and_users_that_have_ended_are_found(store: Arc<dyn Store>) {
    store.insert_user(plain("a", "ada")).await.unwrap();
    store.insert_user(plain("b", "bob")).await.unwrap();
    store.insert_token(session("lasting", "a", at(100))).await.unwrap();
    store.insert_token(session("expired", "a", at(5))).await.unwrap();
    store.insert_token(personal("personal", "a", "ci")).await.unwrap();
    store.insert_token(session("of bob", "b", at(100))).await.unwrap();
    store.deactivate(&"b".into()).await.unwrap();
    store.insert_token(session("late", "b", at(100))).await.unwrap();
    let all = ["lasting", "expired", "personal", "late", "never made"].map(hashed);
    let ended = store.ended_tokens(&all, at(5)).await.unwrap();
    assert_eq!(ended, ["expired", "late", "never made"].map(hashed));
    assert_eq!(store.active_users(&["a".into(), "b".into(), "nobody".into()]).await.unwrap(), ["a".into()]);
}
