//! Imported users whose names or addresses differ in case only: each is known by exactly what it has, at every door, and
//! no other spelling means either of them.

use bolide::accounts::{ImportError, Imported};
use bolide::store::Unique;
use serde_json::{Value, json};

use super::{Bank, error, result};

/// Opens a server with the imported users `Nina` and `nina`, whose passwords are `Nina's` and `nina's`.
async fn bank_with_namesakes() -> Bank {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    for name in ["Nina", "nina"] {
        assert_eq!(accounts.import(&document(name).to_string()).await.unwrap().outcome, Imported::Added);
        accounts.set_password(name, &format!("{name}'s")).await.unwrap();
    }
    bank
}

fn document(name: &str) -> Value {
    json!({
        "_id": format!("user-{name}"), "username": name,
        "emails": [{ "address": format!("{name}@example.com"), "verified": true }],
    })
}

fn login(selector: &Value, password: &str) -> Value {
    json!([{ "user": selector, "password": password }])
}

#[tokio::test]
async fn each_logs_in_by_the_exact_name_or_address_with_its_own_password() {
    let bank = bank_with_namesakes().await;
    let mut client = bank.connect().await;
    for name in ["Nina", "nina"] {
        for selector in [json!({ "username": name }), json!({ "email": format!("{name}@example.com") })] {
            let answer = client.ask("login", login(&selector, &format!("{name}'s"))).await;
            assert_eq!(result(&answer)["id"], format!("user-{name}"));
        }
        let reply = bank.post("login").json(&json!({ "user": name, "password": format!("{name}'s") })).send().await;
        assert_eq!((reply.status, &reply.body["data"]["userId"]), (200, &json!(format!("user-{name}"))));
    }
    let other = client.ask("login", login(&json!({ "username": "nina" }), "Nina's")).await;
    let neither = client.ask("login", login(&json!({ "username": "NINA" }), "Nina's")).await;
    let address = client.ask("login", login(&json!({ "email": "NINA@example.com" }), "nina's")).await;
    let nobody = client.ask("login", login(&json!({ "username": "nobody" }), "nina's")).await;
    assert_eq!(error(&nobody), 403);
    assert_eq!([&other["error"], &neither["error"], &address["error"]], [&nobody["error"]; 3]);
    let alone = client.ask("login", login(&json!({ "username": "ALICE" }), "alice's password")).await;
    assert_eq!(result(&alone)["id"], "user-alice", "who has no namesake is known by any case");
}

#[tokio::test]
async fn a_link_goes_to_the_exact_address_and_for_another_spelling_to_neither() {
    let bank = bank_with_namesakes().await;
    let mut client = bank.connect().await;
    for address in ["NINA@example.com", "nina@example.com", "Nina@example.com"] {
        result(&client.ask("forgotPassword", json!([{ "email": address }])).await);
    }
    let mut links = Vec::new();
    for mail in bank.mails(2).await {
        links.push(mail.to[0].clone());
        let link = mail.text.split_whitespace().find(|word| word.contains("/#/")).unwrap();
        let reset = json!([link.rsplit('/').next().unwrap(), format!("new of {}", mail.to[0])]);
        result(&bank.connect().await.ask("resetPassword", reset).await);
    }
    links.sort();
    assert_eq!(links, ["Nina@example.com", "nina@example.com"]);
    for name in ["Nina", "nina"] {
        let answer = login(&json!({ "username": name }), &format!("new of {name}@example.com"));
        assert_eq!(result(&client.ask("login", answer).await)["id"], format!("user-{name}"));
    }
}

#[tokio::test]
async fn an_operator_and_an_endpoint_mean_the_exact_user_or_nobody() {
    let bank = bank_with_namesakes().await;
    let accounts = bank.app.accounts().unwrap();
    assert_eq!(accounts.find("Nina").await.unwrap().id.as_str(), "user-Nina");
    assert_eq!(accounts.find("nina@example.com").await.unwrap().id.as_str(), "user-nina");
    assert!(accounts.find("NINA").await.is_err() && accounts.set_active("NINA", false).await.is_err());
    let token = accounts.issue_token("nina").await.unwrap();
    let info = async |name: &str| {
        let path = format!("users.info?username={name}");
        let reply = bank.get(&path).by("nina", &token).send().await;
        (reply.status, reply.body["user"]["_id"].clone())
    };
    assert_eq!(info("nina").await, (200, json!("user-nina")));
    assert_eq!(info("Nina").await, (403, Value::Null), "one's own data is not shown as another's");
    assert_eq!(info("NINA").await, (403, Value::Null));
}

#[tokio::test]
async fn new_users_and_new_names_must_differ_in_more_than_case() {
    let bank = bank_with_namesakes().await;
    let mut client = bank.log_in("alice").await;
    for options in [
        json!({ "username": "NINA", "password": "x" }),
        json!({ "username": "carol", "email": "NINA@example.com", "password": "x" }),
    ] {
        assert_eq!(error(&client.ask("createUser", json!([options])).await), 403);
    }
    assert_eq!(error(&client.ask("setUsername", json!(["NINA"])).await), "error-field-unavailable");
    let change = super::by_password("alice", json!([{ "email": "NINA@example.com", "realname": "Alice" }]));
    assert_eq!(error(&client.ask("saveUserProfile", change).await), "error-field-unavailable");
    let alice = bank.app.accounts().unwrap().find("alice").await.unwrap();
    assert!(!alice.fields.contains_key("name"), "the change is rejected as a whole");
    let mut nina = bank.log_in("nina").await;
    assert_eq!(result(&nina.ask("setUsername", json!(["nina"])).await), "nina");
    assert_eq!(error(&nina.ask("setUsername", json!(["NINA"])).await), "error-field-unavailable");
}

#[tokio::test]
async fn an_import_warns_of_a_namesake_and_rejects_who_is_equal() {
    let bank = bank_with_namesakes().await;
    let accounts = bank.app.accounts().unwrap();
    let mut third = document("niNa");
    let checked = accounts.check_import(&third.to_string()).await.unwrap();
    let warnings: Vec<&str> = checked.warnings.iter().map(|warning| warning.field).collect();
    assert_eq!(warnings, ["username", "emails"]);
    third["username"] = "nina".into();
    for outcome in [accounts.check_import(&third.to_string()).await, accounts.import(&third.to_string()).await] {
        assert!(matches!(outcome, Err(ImportError::Taken(Unique::Username))), "{outcome:?}");
    }
    third["username"] = "other".into();
    third["emails"][0]["address"] = "Nina@example.com".into();
    for outcome in [accounts.check_import(&third.to_string()).await, accounts.import(&third.to_string()).await] {
        assert!(matches!(outcome, Err(ImportError::Taken(Unique::Address))), "{outcome:?}");
    }
}
