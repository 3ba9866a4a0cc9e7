//! How cases are selected, run and reported.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Server, text};
use crate::conformance::{Capability, Chapter, Counts, Level, Options, Received, Release, Report, Verdict, run};

/// Numbers the cases.
pub(super) fn chapter(cases: &Value) -> Chapter {
    let mut cases = cases.clone();
    for (number, case) in (1..).zip(cases.as_array_mut().unwrap()) {
        case["id"] = format!("c/{number}").into();
    }
    let file = json!({"chapter": "c", "about": "a", "source": "a test", "cases": cases});
    Chapter::parse("c.json", &file.to_string()).unwrap()
}

fn one_case(steps: &Value) -> Chapter {
    chapter(&json!([{"name": "n", "steps": steps}]))
}

pub(super) fn options() -> Options {
    Options::new("test").patience(Duration::from_millis(50))
}

/// Returns the step and the reason if the only case fails.
async fn failure(server: &Server, steps: Value) -> Option<String> {
    let report = run(server, &[one_case(&steps)], &options()).await;
    report.failures().map(|(_, failure)| format!("{}: {}", failure.step, failure.reason)).next()
}

pub(super) fn silent() -> Server {
    Server::new(|_| Vec::new())
}

/// Sends one message for each element of `say` in the message that it receives.
pub(super) fn parrot() -> Server {
    Server::new(|message| match &message["say"] {
        Value::Array(messages) => messages.iter().map(text).collect(),
        _ => Vec::new(),
    })
}

#[tokio::test]
async fn expected_messages_pass() {
    let steps = json!([{"connect": true}, {"send": {"say": [1, {"a": 2}]}}, {"expect": [1, {"a": 2}]}]);
    assert_eq!(failure(&parrot(), steps).await, None);
}

#[tokio::test]
async fn a_wrong_message_fails_with_both_messages() {
    let steps = json!([{"connect": true}, {"send": {"say": [{"a": 1}]}}, {"expect": {"a": 2}}]);
    assert_eq!(
        failure(&parrot(), steps).await.unwrap(),
        "3: expected {\"a\":2}\nreceived {\"a\":1}\nat a: expected 2, received 1"
    );
}

#[tokio::test]
async fn a_missing_message_fails_after_the_timeout() {
    let steps = json!([{"connect": true}, {"expect": {"a": 2}}]);
    let reason = failure(&silent(), steps).await.unwrap();
    assert_eq!(reason, "2: expected {\"a\":2}\nreceived nothing");
}

#[tokio::test]
async fn an_unexpected_message_fails_at_the_end() {
    let steps = json!([{"connect": true}, {"send": {"say": [1, 2]}}, {"expect": 1}]);
    let reason = failure(&parrot(), steps).await.unwrap();
    assert!(reason.starts_with("the end: "), "{reason}");
    assert!(reason.contains("received 2"), "{reason}");
}

#[tokio::test]
async fn what_arrives_after_the_end_fails_too() {
    let steps = json!([{"connect": true}]);
    for (late, problem) in [
        (text(&json!({"msg": "ready"})), "expected nothing more\nreceived"),
        (Received::Closed(Some(1000)), "expected nothing more\nthe connection ended with code 1000"),
    ] {
        let reason = failure(&Server::late(late), steps.clone()).await.unwrap();
        assert!(reason.starts_with("the end: ") && reason.contains(problem), "{reason}");
    }
    assert_eq!(failure(&Server::late(text(&json!({"msg": "ping"}))), steps).await, None);
}

#[tokio::test]
async fn a_connection_without_a_session_is_not_checked_at_the_end() {
    let steps = json!([{"open": true}, {"send": {"say": [1, 2]}}, {"expect": 1}]);
    assert_eq!(failure(&parrot(), steps).await, None);
}

#[tokio::test]
async fn unordered_messages_keep_the_order_of_their_lists() {
    let say = |messages: Value| {
        json!([
            {"connect": true},
            {"send": {"say": messages}},
            {"expectUnordered": ["x", ["a", "b"]]}
        ])
    };
    for right in [json!(["x", "a", "b"]), json!(["a", "x", "b"]), json!(["a", "b", "x"])] {
        assert_eq!(failure(&parrot(), say(right)).await, None);
    }
    for wrong in [json!(["x", "b", "a"]), json!(["b", "a", "x"]), json!(["x", "a"]), json!(["x", "x"])] {
        assert!(failure(&parrot(), say(wrong.clone())).await.is_some(), "{wrong}");
    }
}

#[tokio::test]
async fn a_call_is_answered_by_result_and_updated_with_data_before() {
    let answers = |messages: Value| {
        Server::new(move |message| match message["method"].as_str() {
            Some("insert") => messages.as_array().unwrap().iter().map(text).collect(),
            _ => Vec::new(),
        })
    };
    let steps = json!([{"connect": true}, {"call": ["insert", 5], "data": [{"msg": "added"}], "result": 7}]);
    let (added, updated, result) = (
        json!({"msg": "added"}),
        json!({"msg": "updated", "methods": ["call-1"]}),
        json!({"msg": "result", "id": "call-1", "result": 7}),
    );
    for right in [json!([added, updated, result]), json!([result, added, updated]), json!([added, result, updated])] {
        let server = answers(right);
        assert_eq!(failure(&server, steps.clone()).await, None);
        let call = json!({"msg": "method", "id": "call-1", "method": "insert", "params": [5]});
        assert!(server.seen.lock().unwrap().contains(&call));
    }
    let with_null = json!({"msg": "result", "id": "call-1", "result": 7, "error": null});
    let without = json!({"msg": "result", "id": "call-1"});
    for wrong in [
        json!([updated, added, result]),
        json!([added, updated]),
        json!([added, result]),
        json!([updated, result]),
        json!([added, updated, with_null]),
        json!([added, updated, without]),
        json!([added, updated, result, updated]),
    ] {
        assert!(failure(&answers(wrong.clone()), steps.clone()).await.is_some(), "{wrong}");
    }
}

#[tokio::test]
async fn documents_around_a_call_come_before_or_after_its_answers() {
    let (added, updated, result) = (
        json!({"msg": "added"}),
        json!({"msg": "updated", "methods": ["call-1"]}),
        json!({"msg": "result", "id": "call-1", "result": 7}),
    );
    let steps = json!([{"connect": true}, {"call": ["in", 5], "around": [{"msg": "added"}], "result": 7}]);
    let failed = async |messages: &[&Value], level: Level| {
        let messages: Vec<Received> = messages.iter().copied().map(text).collect();
        let server = Server::new(move |message| if message["method"] == "in" { messages.clone() } else { Vec::new() });
        run(&server, &[one_case(&steps)], &options().level(level)).await.counts().failed
    };
    for messages in [[&added, &updated, &result], [&updated, &added, &result], [&updated, &result, &added]] {
        assert_eq!(failed(&messages, Level::RocketChat).await, 0);
    }
    assert_eq!(failed(&[&updated, &result], Level::RocketChat).await, 1);
    assert_eq!(failed(&[&added, &updated, &result], Level::Bolide).await, 0);
    assert_eq!(failed(&[&updated, &added, &result], Level::Bolide).await, 1);
}

#[tokio::test]
async fn documents_of_ignored_collections_are_skipped() {
    let added = |collection: &str| json!({"msg": "added", "collection": collection, "id": "1"});
    let failed = async |said: Value| {
        let case = json!([{"name": "n", "ignores": ["users"], "steps": [
            {"connect": true}, {"send": {"say": said}}, {"expect": {"msg": "ready", "subs": ["s"]}}
        ]}]);
        run(&parrot(), &[chapter(&case)], &options()).await.counts().failed
    };
    let ready = json!({"msg": "ready", "subs": ["s"]});
    assert_eq!(failed(json!([added("users"), ready, added("users")])).await, 0);
    assert_eq!(failed(json!([added("others"), ready])).await, 1);
}

#[tokio::test]
async fn pings_are_answered_and_skipped_unless_they_are_shown() {
    let steps = json!([{"connect": true}, {"send": {"say": [{"msg": "ping", "id": "p"}, 1]}}, {"expect": 1}]);
    let server = parrot();
    assert_eq!(failure(&server, steps).await, None);
    assert!(server.seen.lock().unwrap().contains(&json!({"msg": "pong", "id": "p"})));

    let shown = chapter(&json!([{"name": "n", "pings": "shown", "steps": [
        {"connect": true}, {"send": {"say": [{"msg": "ping"}, 1]}}, {"expect": [{"msg": "ping"}, 1]}
    ]}]));
    let server = parrot();
    assert!(run(&server, &[shown], &options()).await.is_success());
    assert!(!server.seen.lock().unwrap().contains(&json!({"msg": "pong"})));
}

#[tokio::test]
async fn silence_can_be_expected() {
    let say = |messages: Value| json!([{"open": true}, {"send": {"say": messages}}, {"expectNothing": 20}]);
    assert_eq!(failure(&parrot(), say(json!([]))).await, None);
    assert_eq!(failure(&parrot(), say(json!([1]))).await.unwrap(), "3: expected nothing\nreceived 1");
}

#[tokio::test]
async fn the_end_of_a_connection_can_be_expected() {
    let closing = || Server::new(|_| vec![text(&json!(1)), Received::Closed(Some(1000))]);
    let steps = |last: Value| json!([{"connect": true}, {"send": {}}, last]);
    assert_eq!(failure(&closing(), steps(json!({"skipToClose": 1000}))).await, None);
    assert_eq!(failure(&closing(), steps(json!({"skipToClose": "<any>"}))).await, None);
    let wrong_code = failure(&closing(), steps(json!({"skipToClose": 1001}))).await.unwrap();
    assert!(wrong_code.ends_with("it ended with code 1000"), "{wrong_code}");
    let too_early = failure(&closing(), steps(json!({"expectClose": 1000}))).await.unwrap();
    assert!(too_early.ends_with("received 1"), "{too_early}");
    let still_open = failure(&silent(), steps(json!({"expectClose": 1000}))).await.unwrap();
    assert!(still_open.ends_with("it is still open"), "{still_open}");
    let unexpected = failure(&closing(), steps(json!({"expect": [1, 2]}))).await.unwrap();
    assert!(unexpected.ends_with("the connection ended with code 1000"), "{unexpected}");
}

#[tokio::test]
async fn messages_can_be_skipped() {
    let steps = json!([{"connect": true}, {"send": {"say": [1, 2, 3]}}, {"skipTo": 3}]);
    assert_eq!(failure(&parrot(), steps).await, None);
    let steps = json!([{"connect": true}, {"send": {"say": [1, 2]}}, {"skipTo": 3}]);
    assert!(failure(&parrot(), steps).await.is_some());
}

#[tokio::test]
async fn steps_can_be_repeated() {
    let steps = json!([{"connect": true}, {"repeat": 3, "steps": [
        {"send": {"say": ["<round>"]}}, {"expect": "<round>"}
    ]}]);
    assert_eq!(failure(&parrot(), steps).await, None);
    let steps = json!([{"connect": true}, {"repeat": 3, "steps": [
        {"send": {"say": ["<round>"]}}, {"expect": "0"}
    ]}]);
    let reason = failure(&parrot(), steps).await.unwrap();
    assert!(reason.starts_with("2.2 (round 1): "), "{reason}");
}

#[tokio::test]
async fn invalid_json_and_binary_frames_fail() {
    let noisy = Server::new(|message| match message.get("binary") {
        Some(_) => vec![Received::Binary(vec![1])],
        None => vec![Received::Text("{".into())],
    });
    let steps = |sent: Value| json!([{"open": true}, {"send": sent}, {"expect": "<any>"}]);
    let no_json = failure(&noisy, steps(json!({}))).await.unwrap();
    assert!(no_json.contains("which is not JSON"), "{no_json}");
    let no_text = failure(&noisy, steps(json!({"binary": 1}))).await.unwrap();
    assert!(no_text.contains("a binary frame"), "{no_text}");
}

#[tokio::test]
async fn a_step_needs_an_open_connection() {
    let steps = json!([{"connect": true}, {"drop": true}, {"send": {}}]);
    let reason = failure(&silent(), steps).await.unwrap();
    assert_eq!(reason, "3: there is no open connection `a`");
    let steps = json!([{"connect": true}, {"on": "b", "expectNothing": 1}]);
    let reason = failure(&silent(), steps).await.unwrap();
    assert_eq!(reason, "2: there is no open connection `b`");
}

#[tokio::test]
async fn a_case_ends_with_disconnect_on_open_connections() {
    let server = silent();
    assert_eq!(failure(&server, json!([{"connect": true}, {"on": "b", "open": true}])).await, None);
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.iter().filter(|message| message["msg"] == "disconnect").count(), 2);
}

async fn counts(cases: &Value, options: &Options) -> (usize, usize) {
    let counts = run(&silent(), &[chapter(cases)], options).await.counts();
    let Counts { passed, non_strict, failed, known_failures, unimplemented, skipped } = counts;
    assert_eq!((non_strict, failed, known_failures, unimplemented), (0, 0, 0, 0));
    (passed, skipped)
}

#[tokio::test]
async fn cases_are_skipped_by_level_slowness_and_needs() {
    let steps = json!([{"connect": true}]);
    let cases = json!([
        {"name": "plain", "steps": steps},
        {"name": "meteor", "level": "meteor", "steps": steps},
        {"name": "bolide", "level": "bolide", "steps": steps},
        {"name": "slow", "slow": true, "steps": steps},
        {"name": "needy", "needs": {"heartbeatIntervalMs": 400}, "steps": steps},
        {"name": "raw", "needs": {"transport": "websocket"}, "alone": true, "steps": steps},
    ]);
    assert_eq!(counts(&cases, &options()).await, (2, 4));
    assert_eq!(counts(&cases, &options().level(Level::Meteor)).await, (3, 3));
    assert_eq!(counts(&cases, &options().level(Level::Bolide)).await, (4, 2));
    assert_eq!(counts(&cases, &options().slow(true)).await, (3, 3));
    assert_eq!(counts(&cases, &options().server("heartbeatIntervalMs", 400)).await, (3, 3));
    assert_eq!(counts(&cases, &options().server("heartbeatIntervalMs", 500)).await, (2, 4));
    assert_eq!(counts(&cases, &options().server("transport", "sockjs")).await, (1, 5));
    assert_eq!(counts(&cases, &options().name("PLA").name("raw")).await, (2, 0));
    assert_eq!(counts(&cases, &options().chapter("other")).await, (0, 0));
    assert_eq!(counts(&cases, &options().chapter("c").parallel(1)).await, (2, 4));
}

#[tokio::test]
async fn cases_about_later_releases_are_skipped() {
    let steps = json!([{"connect": true}]);
    let cases = json!([{"name": "new", "since": "meteor 3.5", "steps": steps}]);
    let version = |text: &str| options().version_of(Release::new("meteor", text).unwrap());
    assert_eq!(counts(&cases, &options()).await, (1, 0));
    assert_eq!(counts(&cases, &version("3.5")).await, (1, 0));
    assert_eq!(counts(&cases, &version("3.4.1")).await, (0, 1));
    let other = options().version_of(Release::new("rocketchat", "1.0").unwrap());
    assert_eq!(counts(&cases, &other).await, (1, 0));
}

/// A server whose application answers `capabilities` with `answer`.
fn declaring(answer: Value) -> Server {
    Server::new(move |message| {
        let mut result = json!({"msg": "result", "id": message["id"]});
        result[answer["key"].as_str().unwrap_or_default()] = answer["value"].clone();
        let updated = json!({"msg": "updated", "methods": [message["id"]]});
        if message["method"] == "capabilities" { vec![text(&updated), text(&result)] } else { Vec::new() }
    })
}

#[tokio::test]
async fn what_a_server_does_not_declare_is_unimplemented() {
    let steps = json!([{"connect": true}]);
    let cases = json!([
        {"name": "a", "steps": steps},
        {"name": "b", "capabilities": ["accounts"], "steps": steps},
        {"name": "c", "capabilities": ["accounts", "clock"], "steps": steps},
    ]);
    let unimplemented = async |server: Server, options: Options| {
        let counts = run(&server, &[chapter(&cases)], &options).await.counts();
        assert_eq!(counts.passed + counts.unimplemented, 3);
        counts.unimplemented
    };
    let list = |names: Value| declaring(json!({"key": "result", "value": names}));
    assert_eq!(unimplemented(list(json!(["clock", "accounts"])), options()).await, 0);
    assert_eq!(unimplemented(list(json!(["accounts", "a later one"])), options()).await, 1);
    assert_eq!(unimplemented(list(json!([])), options()).await, 2);
    assert_eq!(unimplemented(list(json!(["clock", "accounts"])), options().without(Capability::Clock)).await, 1);
    // A server that does not answer with a list has them all.
    assert_eq!(unimplemented(declaring(json!({"key": "error", "value": {"error": 404}})), options()).await, 0);
    assert_eq!(unimplemented(silent(), options()).await, 0);
    assert_eq!(unimplemented(silent(), options().without(Capability::Accounts)).await, 2);
}

#[tokio::test]
async fn an_allowed_departure_is_non_strict() {
    let verdict = async |said: Value, expected: Value| {
        let steps = json!([{"connect": true}, {"send": {"say": said}}, expected, {"expect": "end"}]);
        let report = run(&parrot(), &[one_case(&steps)], &options()).await;
        report.outcomes()[0].verdict.clone()
    };
    let either = json!({"expect": {"<either>": [{"a": 1}, {"a": 2}]}});
    assert!(matches!(verdict(json!([{"a": 1}, "end"]), either.clone()).await, Verdict::Passed));
    let Verdict::NonStrict(departures) = verdict(json!([{"a": 2}, "end"]), either.clone()).await else {
        panic!("not non-strict");
    };
    assert_eq!(departures, ["{\"a\":1} is recommended; received {\"a\":2}"]);
    assert!(matches!(verdict(json!([{"a": 3}, "end"]), either).await, Verdict::Failed(_)));

    let optional = json!({"expectOptional": {"a": 1}});
    assert!(matches!(verdict(json!([{"a": 1}, "end"]), optional.clone()).await, Verdict::Passed));
    let Verdict::NonStrict(departures) = verdict(json!(["end"]), optional.clone()).await else {
        panic!("not non-strict");
    };
    assert_eq!(departures, ["{\"a\":1} is recommended; the server sends nothing"]);
    assert!(matches!(verdict(json!([{"a": 2}, "end"]), optional).await, Verdict::Failed(_)));
}

#[tokio::test]
async fn variations_that_the_specification_allows_pass_below_meteor() {
    let sent = json!([{"msg": "changed", "collection": "c", "id": "1"}, {"msg": "pong", "at": 1}]);
    let steps = json!([{"connect": true}, {"send": {"say": sent}}, {"expect": {"msg": "pong"}}]);
    assert_eq!(failure(&parrot(), steps.clone()).await, None);
    let report = run(&parrot(), &[one_case(&steps)], &options().level(Level::Meteor)).await;
    assert_eq!(report.counts().failed, 1);
}

#[tokio::test]
async fn a_report_shows_departures() {
    let cases = json!([{"name": "odd", "steps": [
        {"connect": true}, {"send": {"say": [2]}}, {"expect": {"<either>": [1, 2]}}
    ]}]);
    let report = run(&parrot(), &[chapter(&cases)], &options()).await;
    assert!(report.is_success());
    let mut written = Vec::new();
    report.write(&mut written).unwrap();
    let written = String::from_utf8(written).unwrap();
    assert!(written.starts_with("NON-STRICT  c/1: odd\n    1 is recommended; received 2\n"), "{written}");
}

#[tokio::test]
async fn a_run_without_cases_is_not_a_success() {
    assert!(!run(&silent(), &[], &options()).await.is_success());
}

#[tokio::test]
async fn a_report_shows_failures_and_a_table() {
    let cases = json!([
        {"name": "good", "steps": [{"connect": true}]},
        {"name": "bad", "steps": [{"connect": true}, {"send": {"say": [2]}}, {"expect": 1}]},
        {"name": "slow", "slow": true, "steps": [{"connect": true}]},
    ]);
    let report: Report = run(&parrot(), &[chapter(&cases)], &options()).await;
    let mut written = Vec::new();
    report.write(&mut written).unwrap();
    assert_eq!(
        String::from_utf8(written).unwrap(),
        r#"1 case differs at: the message

FAILED  c/2: bad
  source: a test
  step 3
    expected 1
    received 2
    expected 1, received 2
  the last frames
    a   (opened)
    a → {"msg":"connect","support":["1","pre2","pre1"],"version":"1"}
    a ← {"msg":"connected","session":"dRsgAEsdpRvETpxNp"}
    a → {"say":[2]}
    a ← 2

chapter  passed  non-strict  failed  known  unimplemented  skipped
c             1           0       1      0              0        1

not run:
      1  it is slow, and needs --slow

1 passed, 0 non-strict, 1 failed, 0 unimplemented, 1 skipped
"#
    );
}
