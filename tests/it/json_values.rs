//! Methods that take and return `serde_json::Value`: what a client sends comes back unchanged.

use bolide::prelude::*;
use bolide::protocol::ejson::Date;
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

fn app() -> App {
    App::builder()
        .ejson_type("Decimal")
        .method("echo", TwoFactor::none(), async |_: Context, value: Value| Ok(value))
        .build()
        .expect("the app fits together")
}

/// Every kind of EJSON, in a list and an object.
fn everything() -> Value {
    let values = json!([
        { "$date": 5 },
        { "$binary": "QUI=" },
        { "$InfNaN": 0 },
        { "$regexp": "a+", "$flags": "i" },
        { "$type": "oid", "$value": "0123456789abcdef01234567" },
        { "$type": "Decimal", "$value": { "$date": 5 } },
        { "$escape": { "$date": 5 } },
        { "$escape": { "$type": "unknown", "$value": { "$escape": { "$date": { "$date": 5 } } } } },
    ]);
    json!([values, { "a": values, "b": { "c": values } }])
}

#[tokio::test]
async fn a_json_value_comes_back_unchanged_over_a_socket() {
    let server = Server::start(app()).await;
    let mut client = Client::connect(server.address).await;
    let answer = client.ask("echo", json!([everything()])).await;
    assert_eq!(answer["result"], everything());
}

#[tokio::test]
async fn a_json_value_comes_back_unchanged_from_a_call_of_the_app() {
    let result: Value = app().call(&Caller::anonymous(), "echo", &[everything()]).await.expect("a value");
    assert_eq!(result, everything());
}

#[tokio::test]
async fn a_date_in_a_json_value_is_a_date_for_typed_callers() {
    let parameters = json!([{ "$date": 5 }]);
    let date: Date = app().call(&Caller::anonymous(), "echo", &parameters).await.expect("a date");
    assert_eq!(date, Date::from_milliseconds(5));
}
