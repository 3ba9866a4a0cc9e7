//! What a report tells, and the files that are written of it.

#![expect(clippy::needless_pass_by_value, reason = "a value that is written where it is used reads better")]

use serde_json::{Value, json};

use super::playing::{chapter, options, parrot};
use crate::conformance::{KnownFailures, Level, Record, Report, Subject, Verdict, page, run, run_watched};

/// A case that passes if the server says what is expected.
fn case(name: &str, said: Value, expected: Value) -> Value {
    json!({"name": name, "steps": [{"connect": true}, {"send": {"say": [said]}}, {"expect": expected}]})
}

fn result(fields: Value) -> Value {
    json!({"msg": "result", "id": "1", "result": fields})
}

async fn report_of(cases: Value, known: &str) -> Report {
    let options = options().known_failures(KnownFailures::parse(known).unwrap());
    run(&parrot(), &[chapter(&cases)], &options).await
}

fn written(report: &Report) -> String {
    let mut text = Vec::new();
    report.write(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn differences(report: &Report) -> Vec<&str> {
    report.failures().map(|(_, failure)| failure.difference.as_str()).collect()
}

#[tokio::test]
async fn a_failure_names_where_the_message_differs() {
    let cases = json!([
        case("value", result(json!({"a": [1, {"b": 2}]})), result(json!({"a": [1, {"b": 3}]}))),
        case("missing", result(json!({})), result(json!({"a": 1}))),
        case("unexpected", result(json!({"z": 1})), result(json!({}))),
        case("top", json!({"msg": "ready"}), json!({"msg": "ready", "subs": []})),
        case("more", json!(1), json!([])),
        {"name": "nothing", "steps": [{"connect": true}, {"expect": 1}]},
        {"name": "call", "steps": [
            {"connect": true},
            {"send": {"say": [{"msg": "result", "id": "1", "error": {"error": 404}}]}},
            {"expectUnordered": [{"msg": "result", "id": "1", "error": {"error": 403}}, {"msg": "updated"}]}
        ]},
    ]);
    let report = report_of(cases, "").await;
    assert_eq!(
        differences(&report),
        [
            "result.result.a[1].b",
            "result.result.a",
            "result.result.z",
            "ready.subs",
            "pong",
            "received nothing",
            "result.error.error"
        ]
    );
}

#[tokio::test]
async fn failures_with_the_same_difference_stand_together() {
    let cases = json!([
        case("one", json!({"msg": "ready"}), json!({"msg": "ready", "subs": []})),
        case("two", result(json!(1)), result(json!(2))),
        case("three", json!({"msg": "ready", "subs": []}), json!({"msg": "ready", "subs": []})),
        case("four", result(json!(3)), result(json!(4))),
    ]);
    let text = written(&report_of(cases, "").await);
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is missing in\n{text}"));
    assert!(place("2 cases differ at: result.result") < place("FAILED  c/2: two"));
    assert!(place("FAILED  c/2: two") < place("FAILED  c/4: four"));
    assert!(place("FAILED  c/4: four") < place("1 case differs at: ready.subs"));
    assert!(text.ends_with("\n1 passed, 0 non-strict, 3 failed, 0 unimplemented, 0 skipped\n"), "{text}");
}

#[tokio::test]
async fn long_frames_are_cut_and_control_characters_shown() {
    let long = "x".repeat(100_000);
    let cases = json!([
        case("control", json!("\u{1b}[2J\u{9b}\u{202e}"), json!("y")),
        case("long", result(json!(long)), result(json!("y"))),
    ]);
    let text = written(&report_of(cases, "").await);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{9b}') && !text.contains('\u{202e}'), "{text:?}");
    assert!(text.contains(r"\u{9b}\u{202e}"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() < 800), "{}", text.len());
}

#[tokio::test]
async fn the_report_says_why_cases_were_not_run() {
    let steps = json!([{"connect": true}]);
    let cases = json!([
        {"name": "a", "level": "meteor", "steps": steps},
        {"name": "b", "level": "meteor", "steps": steps},
        {"name": "c", "needs": {"httpForwardedCount": 1}, "steps": steps},
    ]);
    let text = written(&report_of(cases, "").await);
    assert!(
        text.contains("not run:\n      2  its level is meteor\n      1  it needs --need httpForwardedCount=1\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_known_failure_is_not_a_failure_until_it_passes() {
    let cases = || json!([case("right", json!(1), json!(1)), case("wrong", json!(1), json!(2))]);
    let unknown = report_of(cases(), "").await;
    assert!(!unknown.is_success());
    let known = report_of(cases(), "c/2 the server counts from 0").await;
    assert!(known.is_success());
    assert_eq!((known.counts().passed, known.counts().failed, known.counts().known_failures), (1, 0, 1));
    assert!(written(&known).contains("1 passed, 0 non-strict, 0 failed, 1 failed as expected"));

    let passing = report_of(cases(), "c/1 was wrong once\nc/2").await;
    assert!(!passing.is_success());
    let (outcome, failure) = passing.failures().next().unwrap();
    assert_eq!(outcome.id, "c/1");
    assert!(failure.reason.contains("listed as a known failure (was wrong once)"), "{}", failure.reason);
}

#[tokio::test]
async fn outcomes_can_be_watched() {
    let seen = std::sync::Mutex::new(Vec::new());
    let cases = chapter(&json!([case("right", json!(1), json!(1)), case("wrong", json!(1), json!(2))]));
    let watch = |outcome: &crate::conformance::Outcome| seen.lock().unwrap().push(outcome.id.clone());
    run_watched(&parrot(), &[cases], &options(), watch).await;
    let mut seen = seen.into_inner().unwrap();
    seen.sort();
    assert_eq!(seen, ["c/1", "c/2"]);
}

fn subject(name: &str) -> Subject {
    Subject {
        name: name.to_owned(),
        address: "ws://localhost/websocket".into(),
        transport: "websocket".into(),
        level: Level::Ddp,
        date: "2026-01-02T03:04:05.000Z".into(),
    }
}

/// One case of each verdict.
async fn record(name: &str) -> Record {
    let cases = json!([
        case("right & <b>", json!(1), json!(1)),
        case("wrong", result(json!("<script>\u{1b}\u{0}")), result(json!("a\"]]>"))),
        case("known", json!(1), json!(2)),
        case("loose", json!(2), json!({"<either>": [1, 2]})),
        {"name": "other", "capabilities": ["accounts"], "steps": []},
        {"name": "above", "level": "bolide", "steps": []},
    ]);
    let options = options().known_failures(KnownFailures::parse("c/3").unwrap());
    let options = options.without(crate::conformance::Capability::Accounts);
    let report = run(&parrot(), &[chapter(&cases)], &options).await;
    Record::new(&report, subject(name))
}

fn json_of(record: &Record) -> Value {
    let mut json = Vec::new();
    record.write_json(&mut json).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[tokio::test]
async fn a_record_is_read_as_it_was_written() {
    let record = record("a").await;
    let json = json_of(&record);
    assert_eq!(json["format"], 1);
    assert_eq!(json["subject"]["name"], "a");
    assert_eq!(
        json["counts"],
        json!({"passed": 1, "nonStrict": 1, "failed": 1, "knownFailures": 1, "unimplemented": 1, "skipped": 1})
    );
    let verdicts: Vec<&Value> =
        json["outcomes"].as_array().unwrap().iter().map(|outcome| &outcome["verdict"]).collect();
    assert_eq!(verdicts, ["passed", "failed", "knownFailure", "nonStrict", "unimplemented", "skipped"]);
    assert_eq!(json["outcomes"][1]["because"]["difference"], "result.result");

    let directory = std::env::temp_dir().join(format!("bolide-record-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("a.json");
    std::fs::write(&path, json.to_string()).unwrap();
    let read = Record::from_file(&path).unwrap();
    assert_eq!(json_of(&read), json);
    assert_eq!(read.counts(), record.counts());

    let mut later = json;
    later["format"] = 2.into();
    std::fs::write(&path, later.to_string()).unwrap();
    let error = Record::from_file(&path).unwrap_err().to_string();
    assert!(error.ends_with("its format is 2, and this version reads format 1"), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn junit_has_a_suite_for_each_chapter() {
    let mut xml = Vec::new();
    record("<a>").await.write_junit(&mut xml).unwrap();
    let xml = String::from_utf8(xml).unwrap();
    assert!(xml.contains(r#"<testsuites name="&lt;a&gt;" timestamp="2026-01-02T03:04:05.000Z" tests="6" failures="1" errors="0" skipped="3">"#), "{xml}");
    assert!(xml.contains(r#"<testsuite name="c" tests="6" failures="1" errors="0" skipped="3">"#), "{xml}");
    assert!(xml.contains(r#"<testcase classname="c" name="c/1: right &amp; &lt;b&gt;"/>"#), "{xml}");
    assert!(xml.contains(r#"<failure message="result.result">"#), "{xml}");
    assert!(xml.contains(r#"<skipped message="known failure: "#), "{xml}");
    assert!(!xml.contains(|letter: char| letter.is_control() && letter != '\n'), "{xml:?}");
    assert_eq!(xml.matches("<testcase").count(), 6);
}

#[tokio::test]
async fn a_page_has_a_column_for_each_record_and_no_foreign_markup() {
    let html = page(&[record("One <server>").await, record("Two").await]);
    for part in [
        "<title>DDP conformance: One &lt;server&gt;, Two</title>",
        r#"<th scope="col">Two<small>level ddp</small></th>"#,
        r##"<a href="#chapter-c">c</a>"##,
        "✗ failed<small>result.result</small>",
        "✗ failed as expected",
        "≈ non-strict",
        "default-src 'none'",
    ] {
        assert!(html.contains(part), "{part} is missing in\n{html}");
    }
    assert!(!html.contains("<script") && !html.contains("http:") && !html.contains("https:"), "{html}");
    assert!(html.contains(r"&lt;script&gt;"), "{html}");
}

#[tokio::test]
async fn numbers_are_equal_if_their_values_are() {
    let cases = json!([
        {"name": "remembered", "steps": [
            {"connect": true},
            {"send": {"say": [{"a": 1000}, {"a": 1e3}, [1.0, {"b": 2e0}]]}},
            {"expect": [{"a": "<any:a>"}, {"a": "<a>"}, [1, {"b": 2}]]}
        ]},
        {"name": "in a value", "steps": [
            {"connect": true},
            {"send": {"say": [{"v": [1, {"d": 5}]}, {"v": [1.0, {"d": 5e0}]}]}},
            {"expect": [{"v": "<any:v>"}, {"v": "<v>"}]}
        ]},
    ]);
    let report = report_of(cases, "").await;
    assert_eq!(report.counts().passed, 2, "{}", written(&report));
    let other = report_of(json!([case("others", json!({"a": 1.5}), json!({"a": 1}))]), "").await;
    assert!(matches!(other.outcomes()[0].verdict, Verdict::Failed(_)));
}
