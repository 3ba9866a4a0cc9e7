//! How `http` and `mail` steps are run, and the values that are computed for them.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, Response};
use serde_json::{Value, json};

use super::server::Server;
use crate::conformance::{Chapter, Mailbox, Options, run};
use crate::mail::{Mail, MailKind, Mailer as _, SmtpMailer};

async fn failure_with(server: &Server, steps: Value, options: Options) -> Option<String> {
    let file = json!({"chapter": "c", "about": "a", "source": "a test", "cases": [{"id": "c/1", "name": "n", "steps": steps}]});
    let chapter = Chapter::parse("c.json", &file.to_string()).unwrap();
    let report = run(server, &[chapter], &options.patience(Duration::from_millis(50))).await;
    report.failures().map(|(_, failure)| format!("{}: {}", failure.step, failure.reason)).next()
}

/// Returns the step and the reason if the only case fails.
async fn failure(server: &Server, steps: Value) -> Option<String> {
    failure_with(server, steps, Options::new("test")).await
}

/// Responds with the request.
fn mirror() -> Server {
    Server::http(|request: &Request<String>| {
        let header = |name: &str| {
            let values = request.headers().get_all(name).iter().map(|value| value.to_str().unwrap());
            values.collect::<Vec<_>>().join(", ")
        };
        let body = json!({
            "method": request.method().as_str(),
            "path": request.uri().to_string(),
            "type": header("content-type"),
            "key": header("x-key"),
            "body": request.body(),
        });
        Response::builder().status(201).header("x-mirror", "yes").body(body.to_string()).unwrap()
    })
}

#[tokio::test]
async fn a_request_is_sent_with_its_values_and_the_answer_compared() {
    let steps = json!([
        {
            "http": {"method": "GET", "path": "/a?b=c"},
            "answer": {"status": 201, "body": {"<more>": true, "method": "GET", "type": "", "path": "<string:path>"}}
        },
        {
            "http": {
                "method": "POST", "path": {"<join>": ["<path>", "d"]}, "headers": {"x-key": ["<path>", 2]},
                "body": {"message": {"<json>": {"a": "<path>"}}}
            },
            "answer": {"status": 201, "headers": {"x-mirror": "yes"}, "body": {
                "method": "POST", "path": "/a?b=cd", "type": "application/json", "key": "/a?b=c, 2",
                "body": {"<json>": {"message": {"<json>": {"a": "/a?b=c"}}}}
            }}
        },
        {
            "http": {"method": "PUT", "path": "/", "text": "{", "headers": {"content-type": "text/plain"}},
            "answer": {"status": 201, "body": {"<more>": true, "body": "{", "type": {"<contains>": "plain"}}}
        },
    ]);
    assert_eq!(failure(&mirror(), steps).await, None);
}

#[tokio::test]
async fn a_wrong_status_header_or_body_fails() {
    let expecting = |answer: Value| json!([{"http": {"method": "GET", "path": "/"}, "answer": answer}]);
    for (answer, reason) in [
        (json!({"status": 200}), "at status: expected 200, received 201"),
        (json!({"status": 201, "headers": {"x-other": "<any>"}}), "at headers.x-other: the header is missing"),
        (json!({"status": 201, "headers": {"x-mirror": "no"}}), "at headers.x-mirror: expected \"no\""),
        (json!({"status": 201, "body": {"<more>": true, "key": "x"}}), "at body.key: expected \"x\""),
        (
            json!({"status": 201, "body": {"<more>": true, "path": {"<contains>": "x"}}}),
            "expected a string that contains \"x\"",
        ),
        (json!({"status": 201, "body": {"<more>": true, "body": {"<json>": 1}}}), "is not JSON"),
        (json!({"status": 201, "text": ""}), "at body: expected \"\""),
    ] {
        let failed = failure(&mirror(), expecting(answer.clone())).await.unwrap_or_default();
        assert!(failed.starts_with("1: ") && failed.contains(reason), "{answer}: {failed}");
    }
}

#[tokio::test]
async fn a_code_is_computed_from_remembered_values() {
    let server = Server::http(|_| Response::new(r#"{"secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","now":29000}"#.into()));
    let ask = |body: Value| json!({"http": {"method": "GET", "path": "/"}, "answer": {"status": 200, "body": body}});
    let steps = |step: i64| {
        json!([
            ask(json!({"secret": "<string:key>", "now": "<number:now>"})),
            {"connect": true},
            {"send": {"code": {"<totp>": ["<key>", "<now>", step]}}},
        ])
    };
    assert_eq!(failure(&server, steps(1)).await, None);
    assert_eq!(server.seen.lock().unwrap()[1], json!({"code": "287082"}));
    assert!(failure(&server, steps(-1)).await.is_some());
}

#[tokio::test]
async fn a_mail_is_waited_for_and_read_once() {
    let mailbox = Mailbox::open(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let mailer = SmtpMailer::new(&mailbox.url(), "a@example.com".parse().unwrap()).unwrap();
    let text = "It is 123-456.\n\n123-456";
    let mail = Mail::new(vec!["b@example.com".into()], MailKind::Test, "Code", text);
    let options = || Options::new("test").mailbox(mailbox.clone());
    let steps = |subject: &str| {
        json!([
            {"mail": {"to": "b@example.com", "subject": subject, "code": "<string:code>"}, "within": 5000},
            {"connect": true},
            {"send": {"code": "<code>"}},
        ])
    };

    mailer.deliver(&mail).await.unwrap();
    assert_eq!(failure_with(&mirror(), steps("Code"), options()).await, None);
    let reason = failure_with(&mirror(), json!([{"mail": {"to": "b@example.com"}}]), options()).await.unwrap();
    assert_eq!(reason, "1: expected a mail to b@example.com\nreceived none");

    mailer.deliver(&mail).await.unwrap();
    let reason = failure_with(&mirror(), steps("Other"), options()).await.unwrap();
    assert!(reason.ends_with("at subject: expected \"Other\", received \"Code\""), "{reason}");
}

#[tokio::test]
async fn a_mail_cannot_be_read_without_a_mailbox() {
    let reason = failure(&mirror(), json!([{"mail": {"to": "b@example.com"}}])).await.unwrap();
    assert_eq!(reason, "1: the runner does not receive mail; use --smtp");
}
