//! `/api/docs.json` describes every endpoint and its requirements.

use crate::accounts::Bank;

#[tokio::test]
async fn every_endpoint_is_described_with_its_requirements() {
    let bank = Bank::open().await;
    let docs = bank.call("GET", "/api/docs.json").send().await.body;
    assert_eq!(docs["openapi"], "3.1.0");
    for method in bank.app.methods() {
        let Some(verb) = method.kind.verb() else { continue };
        let operation = &docs["paths"][format!("/v1/{}", method.name)][verb.to_lowercase()];
        assert!(operation.is_object(), "{verb} {}", method.name);
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let has_code = parameters.iter().any(|parameter| parameter["name"] == "x-2fa-code");
        assert_eq!(has_code, method.policy.requirement().is_some(), "{verb} {}", method.name);
    }
    for path in ["/v1/login", "/v1/logout", "/v1/method.call/{method}", "/v1/method.callAnon/{method}", "/info"] {
        assert!(docs["paths"][path].is_object(), "{path}");
    }
    let own = &docs["paths"]["/v1/gated"]["post"];
    assert_eq!(
        own["responses"]["400"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/Challenge"
    );
    assert!(own["security"][0]["token"].is_array() && own["security"][0]["user"].is_array());
    assert_eq!(docs["components"]["securitySchemes"]["token"]["name"], "x-auth-token");
}
