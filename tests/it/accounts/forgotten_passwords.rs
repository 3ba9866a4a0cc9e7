//! `forgotPassword` does not reveal who has an account, and strangers cannot use its mails up.

use futures::FutureExt as _;
use serde_json::{Value, json};

use super::{Bank, result};

#[tokio::test]
async fn the_answer_does_not_wait_for_the_user_to_be_looked_up() {
    let bank = Bank::open().await;
    let (app, stranger) = (bank.app.clone(), bolide::Caller::anonymous());
    for address in ["alice@example.com", "nobody@example.com"] {
        let parameters = (json!({ "email": address }),);
        let answer = app.call::<Option<Value>>(&stranger, "forgotPassword", &parameters).now_or_never();
        assert!(answer.is_some_and(|answer| answer.is_ok()), "{address}: the answer waits for the store");
    }
    assert_eq!(bank.mails(1).await[0].to, ["alice@example.com"]);
}

#[tokio::test]
async fn codes_that_strangers_request_do_not_use_up_the_links() {
    let bank = Bank::open().await;
    let mut stranger = bank.connect().await;
    for _ in 0..20 {
        result(&stranger.ask("sendEmailCode", json!(["emma"])).await);
    }
    bank.mails(10).await;
    for _ in 0..20 {
        result(&stranger.ask("forgotPassword", json!([{ "email": "emma@example.com" }])).await);
    }
    let mails = bank.mails(20).await;
    let links = mails.iter().filter(|mail| mail.text.contains("reset-password/")).count();
    assert_eq!((links, mails.len()), (10, 20));
}
