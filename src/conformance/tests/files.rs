//! How files of cases are read, and the errors for mistakes.

use crate::conformance::{Action, Chapter, Level, book};

fn chapter(cases: &str) -> Result<Chapter, String> {
    let text = format!(r#"{{"chapter": "c", "about": "a", "cases": [{cases}]}}"#);
    Chapter::parse("c.json", &text).map_err(|error| error.to_string())
}

fn mistake_in(step: &str) -> String {
    chapter(&format!(r#"{{"name": "n", "steps": [{{"connect": true}}, {step}]}}"#)).unwrap_err()
}

#[test]
fn all_built_in_cases_can_be_read() {
    let chapters = book::embedded().unwrap();
    assert!(chapters.iter().flat_map(|chapter| &chapter.cases).count() > 1000);
}

#[test]
fn a_case_has_defaults() {
    let chapter = chapter(r#"{"name": "n", "steps": [{"connect": true}]}"#).unwrap();
    let case = &chapter.cases[0];
    assert_eq!(case.level, Level::Ddp);
    assert!(!case.slow && !case.alone && !case.shows_pings);
    assert_eq!(case.steps[0].on, "a");
    assert!(matches!(case.steps[0].action, Action::Connect));
}

#[test]
fn a_null_in_the_file_is_expected() {
    let chapter =
        chapter(r#"{"name": "n", "steps": [{"call": ["echo", null], "result": null}, {"call": ["nothing"]}]}"#)
            .unwrap();
    let answers: Vec<bool> = chapter.cases[0]
        .steps
        .iter()
        .map(|step| matches!(&step.action, Action::Call(call) if call.answer.is_some()))
        .collect();
    assert_eq!(answers, [true, false]);
}

#[test]
fn a_mistake_names_file_case_and_step() {
    assert_eq!(mistake_in(r#"{"wait": 1, "drop": true}"#), "c.json, case “n”: step 2: there is more than one action");
    assert_eq!(mistake_in("{}"), "c.json, case “n”: step 2: the action is missing");
    assert_eq!(
        mistake_in(r#"{"repeat": 2, "steps": [{"wait": 1}, {"send": {"a": "<id>"}}]}"#),
        "c.json, case “n”: step 2: step 2: `<id>` can be expected but not sent"
    );
    assert!(mistake_in(r#"{"expct": {}}"#).starts_with("c.json, case “n”: step 2: unknown field `expct`"));
    assert!(mistake_in(r#"{"connect": false}"#).contains("true is the only allowed value"));
    assert!(mistake_in(r#"{"expect": {"a": "<typo:x>"}}"#).contains("`<typo:x>` is not a placeholder"));
    assert!(mistake_in(r#"{"wait": 1, "result": 2}"#).contains("belong to `call`"));
    assert!(mistake_in(r#"{"call": [], "result": 2}"#).contains("`call` must be a list"));
    assert!(mistake_in(r#"{"call": ["x"], "result": 2, "error": 3}"#).contains("a result or an error"));
    assert!(mistake_in(r#"{"repeat": 2}"#).contains("belong together"));
    assert!(mistake_in(r#"{"expectClose": "soon"}"#).contains("is not a close code"));
    assert!(mistake_in(r#"{"open": {"pth": "/"}}"#).contains("step 2"));
    let http = r#""http": {"method": "GET", "path": "/"}"#;
    assert!(mistake_in(&format!("{{{http}}}")).contains("`http` and `answer` belong together"));
    assert!(
        mistake_in(&format!(r#"{{{http}, "answer": {{"status": 200, "body": 1, "text": ""}}}}"#))
            .contains("exclude each other")
    );
    assert!(
        mistake_in(&format!(r#"{{{http}, "answer": {{"status": 200, "body": "<typo:x>"}}}}"#))
            .contains("not a placeholder")
    );
    assert!(mistake_in(r#"{"mail": {"subject": "x"}}"#).contains("needs the address `to`"));
    assert!(mistake_in(r#"{"send": {"<join>": ["<id>"]}}"#).contains("can be expected but not sent"));
    assert!(mistake_in(r#"{"send": {"<join>": [], "a": 1}}"#).contains("`<join>` must be the only key"));
}

#[test]
fn mistakes_outside_of_steps_are_reported_too() {
    assert!(chapter(r#"{"steps": []}"#).unwrap_err().contains("case number 1: missing field `name`"));
    assert!(chapter(r#"{"name": "n", "steps": [], "lvl": "ddp"}"#).unwrap_err().contains("unknown field `lvl`"));
    assert!(chapter(r#"{"name": "n", "steps": [], "level": "high"}"#).unwrap_err().contains("unknown variant"));
    assert!(chapter(r#"{"name": "n", "steps": [], "pings": "hidden"}"#).unwrap_err().contains("`pings`"));
    let twice = r#"{"name": "n", "steps": []}, {"name": "n", "steps": []}"#;
    assert!(chapter(twice).unwrap_err().contains("“n”: this name was used before"));
    assert!(Chapter::parse("x.json", "{").unwrap_err().to_string().starts_with("x.json: "));
    assert!(book::from_directory("/does/not/exist".as_ref()).is_err());
}
