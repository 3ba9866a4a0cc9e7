//! How access to an account ends: in one write, with everything from which a token could come.

use std::sync::Arc;

use bolide::store::{
    Challenge, CodePurpose, HashedToken, Kept, KeyedHash, Link, LinkPurpose, PasswordProof, PendingTotp, Sealed, Store,
    StoredHash, Totp, Verification,
};

use super::{at, every_store, personal, plain, session};

every_store!(
    what_is_kept_stays_and_all_else_ends,
    a_password_is_renewed_only_with_a_proof_that_is_still_valid,
    a_deactivation_ends_all_access,
    the_first_verification_of_an_address_ends_what_was_made_before_it,
    a_renewed_password_leaves_no_tokens_that_derive_from_a_login,
);

const ID: &str = "a";

/// Stores a user who has everything that can end.
async fn store_ada(store: &Arc<dyn Store>) {
    let mut ada = plain(ID, "ada");
    ada.user.emails = vec![bolide::store::EmailAddress::unverified("ada@example.com")];
    ada.user.password = Some(StoredHash::new("old"));
    ada.tokens = vec![session("own", ID, at(100)), session("other", ID, at(100)), personal("ci", ID, "ci")];
    store.insert_user(ada).await.unwrap();
    store.insert_user(plain("b", "bob")).await.unwrap();
    store.insert_token(session("of bob", "b", at(100))).await.unwrap();
    let id = &ID.into();
    assert!(store.begin_totp(id, PendingTotp::new(Sealed::new(*b"pending"), None, at(2))).await.unwrap());
    store.put_link(link("reset", LinkPurpose::ResetPassword)).await.unwrap();
    store.put_link(link("verify", LinkPurpose::VerifyEmail)).await.unwrap();
    store.put_challenge(Challenge::new(hash("challenge"), ID.into(), "totp".into(), at(1), at(9))).await.unwrap();
    store.put_email_code(id, CodePurpose::Login, hash("code"), at(1), at(9)).await.unwrap();
}

fn hash(text: &str) -> KeyedHash {
    KeyedHash::new(text)
}

fn token(text: &str) -> HashedToken {
    HashedToken::from_base64(text)
}

fn link(text: &str, purpose: LinkPurpose) -> Link {
    let mut link = Link::new(hash(text), ID.into(), purpose, at(1), at(9));
    link.address = Some("ada@example.com".into());
    link
}

/// Returns what the user has.
async fn left(store: &Arc<dyn Store>) -> Vec<String> {
    let id = &ID.into();
    let mut left: Vec<String> =
        store.tokens_of(id).await.unwrap().iter().map(|token| token.hashed.as_str().to_owned()).collect();
    left.sort();
    for text in ["reset", "verify"] {
        left.extend(store.link(&[hash(text)]).await.unwrap().map(|_| text.to_owned()));
    }
    left.extend(store.challenge(&[hash("challenge")]).await.unwrap().map(|_| "challenge".into()));
    left.extend(store.email_code(id, CodePurpose::Login, at(2)).await.unwrap().map(|_| "code".into()));
    left.extend((store.user(id).await.unwrap().unwrap().totp != Totp::Off).then(|| "pending".to_owned()));
    left
}

async fn what_is_kept_stays_and_all_else_ends(store: Arc<dyn Store>) {
    let own = token("own");
    for (kept, expected) in [
        (Kept::OwnAndPersonal(Some(&own)), vec!["ci", "own", "verify"]),
        (Kept::Own(Some(&own)), vec!["own", "verify"]),
        (Kept::Own(None), vec!["verify"]),
        (Kept::Nothing, vec![]),
    ] {
        store_ada(&store).await;
        let before = left(&store).await;
        assert_eq!(before, ["ci", "other", "own", "reset", "verify", "challenge", "code", "pending"]);
        let ended = store.end_access(&ID.into(), kept).await.unwrap();
        assert_eq!(left(&store).await, expected, "{kept:?}");
        assert!(ended.contains(&token("other")) && ended.contains(&own) == kept.own().is_none(), "{kept:?}");
        assert!(store.token(&token("of bob")).await.unwrap().is_some());
        store.delete_user(&ID.into()).await.unwrap();
        store.delete_user(&"b".into()).await.unwrap();
    }
}

async fn a_password_is_renewed_only_with_a_proof_that_is_still_valid(store: Arc<dyn Store>) {
    store_ada(&store).await;
    let renew = async |proof: PasswordProof<'_>, new: &str| {
        store.renew_password(&ID.into(), proof, StoredHash::new(new), Kept::Nothing).await.unwrap()
    };
    let before = left(&store).await;
    assert_eq!(renew(PasswordProof::Present(&StoredHash::new("older")), "x").await, None);
    assert_eq!(renew(PasswordProof::Link(&hash("none")), "x").await, None);
    assert_eq!(left(&store).await, before, "nothing was written");
    let ended = renew(PasswordProof::Link(&hash("reset")), "new").await.unwrap();
    assert_eq!((ended.len(), left(&store).await), (3, Vec::<String>::new()));
    let user = store.user(&ID.into()).await.unwrap().unwrap();
    assert_eq!(user.password, Some(StoredHash::new("new")));
    assert!(user.emails[0].is_verified, "the link was sent there");
    assert_eq!(renew(PasswordProof::Link(&hash("reset")), "x").await, None);
    assert_eq!(renew(PasswordProof::Present(&StoredHash::new("new")), "newer").await, Some(Vec::new()));
    assert_eq!(renew(PasswordProof::Granted, "newest").await, Some(Vec::new()));
}

async fn a_deactivation_ends_all_access(store: Arc<dyn Store>) {
    store_ada(&store).await;
    assert_eq!(store.deactivate(&ID.into()).await.unwrap().len(), 3);
    assert!(!store.user(&ID.into()).await.unwrap().unwrap().is_active);
    assert_eq!(left(&store).await, Vec::<String>::new());
}

async fn the_first_verification_of_an_address_ends_what_was_made_before_it(store: Arc<dyn Store>) {
    store_ada(&store).await;
    let verify = link("verify", LinkPurpose::VerifyEmail);
    let first = store.verify_by_link(&verify).await.unwrap();
    assert_eq!(first, Verification::First(vec![token("ci")]));
    assert_eq!(left(&store).await, ["other", "own", "reset", "code"]);
    assert_eq!(store.verify_by_link(&verify).await.unwrap(), Verification::LinkUsed);
    store.insert_token(personal("later", ID, "later")).await.unwrap();
    store.put_link(verify.clone()).await.unwrap();
    assert_eq!(store.verify_by_link(&verify).await.unwrap(), Verification::Again);
    assert!(store.token(&token("later")).await.unwrap().is_some());
    store.put_link(verify.clone()).await.unwrap();
    assert!(store.remove_email(&ID.into(), "ada@example.com").await.unwrap());
    assert_eq!(store.verify_by_link(&verify).await.unwrap(), Verification::UnknownAddress);
}

async fn a_renewed_password_leaves_no_tokens_that_derive_from_a_login(store: Arc<dyn Store>) {
    store_ada(&store).await;
    for round in 0..20 {
        let own = token(&format!("own {round}"));
        store.insert_token(session(own.as_str(), ID, at(9))).await.unwrap();
        let makers: Vec<_> = (0..8)
            .map(|maker| {
                let (store, own) = (Arc::clone(&store), own.clone());
                tokio::spawn(async move {
                    for number in 0.. {
                        let name = format!("{round} {maker} {number}");
                        if !store.insert_token_beside(&own, personal(&name, ID, &name)).await.unwrap() {
                            return;
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        let new = StoredHash::new(format!("new {round}"));
        store.renew_password(&ID.into(), PasswordProof::Granted, new, Kept::Nothing).await.unwrap();
        for maker in makers {
            maker.await.unwrap();
        }
        assert_eq!(store.tokens_of(&ID.into()).await.unwrap(), [], "round {round}");
    }
}
