//! Settings over REST.

use serde_json::json;

use crate::accounts::{Bank, sha256};

#[tokio::test]
async fn all_clients_can_read_public_settings_and_admins_all_settings() {
    let bank = Bank::open().await;
    let (alice, admin) = (bank.token("alice").await, bank.token("admin").await);
    let public = bank.get("settings.public").send().await;
    let ids = |reply: &super::Reply| reply.body["settings"].as_array().unwrap().len();
    let all = bank.get("settings").by("admin", &admin).send().await;
    assert!(ids(&public) > 3 && ids(&all) > ids(&public));
    assert_eq!(bank.get("settings").by("alice", &alice).send().await.status, 403);
    let one = bank.get("settings/Audit_Log_Days").by("admin", &admin).send().await;
    assert_eq!((&one.body["_id"], &one.body["value"]), (&json!("Audit_Log_Days"), &json!(365)));
    let none = bank.get("settings/Nothing").by("admin", &admin).send().await;
    assert_eq!((none.status, none.error()), (400, &json!("error-invalid-setting")));
}

#[tokio::test]
async fn several_settings_change_atomically_and_each_time_require_a_code() {
    let bank = Bank::open().await;
    let admin = bank.token("admin").await;
    let change =
        |settings: serde_json::Value| bank.post("settings").by("admin", &admin).json(&json!({ "settings": settings }));
    let with_code = |settings| change(settings).code(&sha256("admin's password"), "password");
    let good = json!({ "_id": "Audit_Log_Days", "value": 30 });
    let half = json!([good, { "_id": "Audit_Log_Days", "value": "many" }]);
    assert_eq!(with_code(half).send().await.error(), "error-invalid-setting-value");
    let read = async || bank.get("settings/Audit_Log_Days").by("admin", &admin).send().await.body["value"].clone();
    assert_eq!(read().await, 365);
    assert_eq!(change(json!([good])).send().await.error(), "totp-required");
    assert_eq!(with_code(json!([good])).send().await.status, 200);
    assert_eq!(read().await, 30);
    assert_eq!(change(json!([good])).send().await.error(), "totp-required");
    for wrong in [json!([1]), json!([{ "_id": 5, "value": 1 }]), json!([{ "_id": "Audit_Log_Days" }])] {
        assert_eq!(with_code(wrong).send().await.error(), 400);
    }
}
