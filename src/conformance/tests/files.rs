//! How files of cases are read, and the errors for mistakes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::conformance::{Action, Call, Capability, Case, Chapter, Level, Step, book};

fn chapter(cases: &str) -> Result<Chapter, String> {
    chapter_with("", cases)
}

/// The members `also` belong to the chapter.
fn chapter_with(also: &str, cases: &str) -> Result<Chapter, String> {
    let text = format!(r#"{{"chapter": "c", "about": "a", "source": "a test", {also} "cases": [{cases}]}}"#);
    Chapter::parse("c.json", &text).map_err(|error| error.to_string())
}

fn mistake_in(step: &str) -> String {
    chapter(&format!(r#"{{"id": "c/1", "name": "n", "steps": [{{"connect": true}}, {step}]}}"#)).unwrap_err()
}

#[test]
fn all_built_in_cases_can_be_read() {
    assert!(all_cases().len() > 1000);
}

fn all_cases() -> Vec<Case> {
    book::embedded().unwrap().into_iter().flat_map(|chapter| chapter.cases).collect()
}

#[test]
fn ids_are_unique() {
    let cases = all_cases();
    let ids: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids.len(), cases.len());
}

const SECTIONS: [&str; 7] = [
    "General Message Structure",
    "Establishing a DDP Connection",
    "Heartbeats",
    "Managing Data",
    "Remote Procedure Calls",
    "Errors",
    "Appendix: EJSON",
];

#[test]
fn sources_are_of_known_kinds_and_core_cases_cite_the_specification() {
    for Case { id, source, level, .. } in all_cases() {
        let (kind, place) = source.split_once(": ").unwrap_or_else(|| panic!("{id}: {source}"));
        assert!(["DDP.md", "meteor", "client", "rocketchat", "bolide"].contains(&kind), "{id}: {source}");
        assert!(kind != "DDP.md" || SECTIONS.contains(&place), "{id}: {source}");
        assert!(level != Level::Core || kind == "DDP.md", "{id}: {source}");
        assert!(level == Level::Bolide || kind != "bolide", "{id}: {source}");
    }
}

/// What the application of a core server has.
const CORE: [&str; 6] = ["add", "echo", "failInternally", "failWith", "nothing", "tick"];

#[test]
fn core_cases_need_five_methods_and_one_publication() {
    for case in all_cases().iter().filter(|case| case.level == Level::Core) {
        assert!(case.capabilities.is_empty(), "{}", case.id);
        for name in names_in(&case.steps) {
            assert!(CORE.contains(&name.as_str()) || name.starts_with("noSuch"), "{}: {name}", case.id);
        }
    }
}

#[test]
fn cases_name_the_capabilities_that_their_methods_and_publications_belong_to() {
    for case in all_cases() {
        for name in names_in(&case.steps) {
            for capability in capabilities_of(&name) {
                assert!(case.capabilities.contains(capability), "{} needs {capability} for {name}", case.id);
            }
        }
        let asks = case.steps.iter().any(|step| matches!(step.action, Action::Http(_)));
        let has_requests = [Capability::Rest, Capability::SockJs].iter().any(|it| case.capabilities.contains(it));
        assert!(!asks || has_requests, "{} needs rest or sockjs", case.id);
    }
}

fn capabilities_of(name: &str) -> &[Capability] {
    match name {
        "script" | "run" => &[Capability::Script],
        "connectionInfo" => &[Capability::ConnectionInfo],
        "insertItem" | "updateItem" | "removeItem" | "items" | "itemsWhere" => &[Capability::Collections],
        "randomIds" | "nestedRandomIds" => &[Capability::RandomSeeds],
        "setUserId" | "setUserIdLate" | "ownDocuments" | "needsLogin" => &[Capability::UserChange],
        "feed" | "broadcast" => &[Capability::Streams],
        "createUser" | "login" | "logout" | "whoami" | "issueToken" | "changePassword" | "forgotPassword"
        | "resetPassword" | "verifyEmail" | "getNewToken" | "removeOtherTokens" => &[Capability::Accounts],
        "generate2faActivationQrCode" | "enableUser2fa" | "disableUser2fa" | "has2faEnabled" => {
            &[Capability::Accounts2fa]
        }
        "transferFunds" | "outerNested" | "callWithTwoFactorRequired" | "sendEmailCode" => &[Capability::SecondFactor],
        "setSetting" | "saveSettings" | "saveSetting" | "private-settings/get" | "public-settings/get" => {
            &[Capability::Settings]
        }
        "settings:public" => &[Capability::Settings, Capability::Administration],
        "advanceClock" => &[Capability::Clock],
        other => match other.split_once(':') {
            Some(("2fa" | "personalAccessTokens", _)) => &[Capability::SecondFactor],
            Some(("admin" | "account", _)) => &[Capability::Administration],
            _ if other.starts_with("gated") => &[Capability::SecondFactor],
            _ if ["addM", "removeM", "addP", "removeP", "addU", "removeU"].iter().any(|it| other.starts_with(it)) => {
                &[Capability::RunTime]
            }
            _ => &[],
        },
    }
}

/// Returns the names of the methods and publications that the steps use.
fn names_in(steps: &[Step]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for step in steps {
        match &step.action {
            Action::Call(Call { method, .. }) => {
                names.insert(method.clone());
            }
            Action::Send(messages) => names.extend(messages.iter().filter_map(name_in)),
            Action::Repeat(_, inner) => names.append(&mut names_in(inner)),
            _ => {}
        }
    }
    names
}

fn name_in(message: &Value) -> Option<String> {
    let key = if message["msg"] == "sub" { "name" } else { "method" };
    message[key].as_str().map(str::to_owned)
}

#[test]
fn numbers_are_kept() {
    let case = |(place, number): (usize, &u8)| format!(r#"{{"id": "c/{number}", "name": "at {place}", "steps": []}}"#);
    let cases = |numbers: &[u8]| numbers.iter().enumerate().map(case).collect::<Vec<_>>().join(", ");
    assert!(chapter(&cases(&[2, 1])).is_ok());
    assert!(chapter_with(r#""retired": [2],"#, &cases(&[1, 3])).is_ok());
    assert!(chapter(&cases(&[1, 3])).unwrap_err().ends_with("“at 1”: `c/3` cannot be its id; `c/2` is free"));
    assert!(chapter(&cases(&[1, 1])).unwrap_err().ends_with("“at 1”: `c/1` cannot be its id; `c/2` is free"));
    assert!(chapter_with(r#""retired": [1],"#, &cases(&[1, 2])).unwrap_err().contains("`c/1` cannot be its id"));
    assert!(chapter_with(r#""retired": [3],"#, &cases(&[1])).unwrap_err().contains("the retired number 3"));
    let elsewhere = r#"{"id": "d/1", "name": "n", "steps": []}"#;
    assert!(chapter(elsewhere).unwrap_err().ends_with("`d/1` cannot be its id; `c/1` is free"));
}

#[test]
fn a_chapter_has_defaults_for_its_cases() {
    let of_chapter = r#"{"id": "c/1", "name": "a", "steps": []}"#;
    let own = r#"{"id": "c/2", "name": "b", "source": "mine", "capabilities": [], "steps": []}"#;
    let chapter = chapter_with(r#""capabilities": ["accounts"],"#, &format!("{of_chapter}, {own}")).unwrap();
    let [first, second] = chapter.cases.as_slice() else { panic!("{chapter:?}") };
    assert_eq!((first.source.as_str(), first.capabilities.len()), ("a test", 1));
    assert_eq!((second.source.as_str(), second.capabilities.len()), ("mine", 0));
    let without = r#"{"chapter": "c", "about": "a", "cases": [{"id": "c/1", "name": "n", "steps": []}]}"#;
    assert!(Chapter::parse("c.json", without).unwrap_err().to_string().contains("a `source`"));
}

#[test]
fn a_case_has_defaults() {
    let chapter = chapter(r#"{"id": "c/1", "name": "n", "steps": [{"connect": true}]}"#).unwrap();
    let case = &chapter.cases[0];
    assert_eq!(case.level, Level::Ddp);
    assert!(!case.slow && !case.alone && !case.shows_pings);
    assert_eq!(case.steps[0].on, "a");
    assert!(matches!(case.steps[0].action, Action::Connect));
}

#[test]
fn a_null_in_the_file_is_expected() {
    let chapter = chapter(
        r#"{"id": "c/1", "name": "n", "steps": [{"call": ["echo", null], "result": null}, {"call": ["nothing"]}]}"#,
    )
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
    assert!(mistake_in(r#"{"expect": {"<either>": [1]}}"#).contains("a list of several values"));
    assert!(mistake_in(r#"{"expectOptional": "<typo:x>"}"#).contains("not a placeholder"));
    assert!(mistake_in(r#"{"mail": {"subject": "x"}}"#).contains("needs the address `to`"));
    assert!(mistake_in(r#"{"send": {"<join>": ["<id>"]}}"#).contains("can be expected but not sent"));
    assert!(mistake_in(r#"{"send": {"<join>": [], "a": 1}}"#).contains("`<join>` must be the only key"));
}

#[test]
fn mistakes_outside_of_steps_are_reported_too() {
    assert!(chapter(r#"{"steps": []}"#).unwrap_err().contains("case number 1: missing field `id`"));
    assert!(
        chapter(r#"{"id": "c/1", "name": "n", "steps": [], "lvl": "ddp"}"#)
            .unwrap_err()
            .contains("unknown field `lvl`")
    );
    let unknown = |key: &str, value: &str| {
        let case = format!(r#"{{"id": "c/1", "name": "n", "steps": [], "{key}": {value}}}"#);
        chapter(&case).unwrap_err()
    };
    assert!(unknown("level", r#""high""#).contains("unknown variant"));
    assert!(unknown("since", r#""3.5""#).contains("`3.5` is not a release"));
    assert!(unknown("capabilities", r#"["magic"]"#).contains("`magic` is not a capability"));
    assert!(chapter(r#"{"id": "c/1", "name": "n", "steps": [], "pings": "hidden"}"#).unwrap_err().contains("`pings`"));
    let twice = r#"{"id": "c/1", "name": "n", "steps": []}, {"id": "c/2", "name": "n", "steps": []}"#;
    assert!(chapter(twice).unwrap_err().contains("“n”: this name was used before"));
    assert!(Chapter::parse("x.json", "{").unwrap_err().to_string().starts_with("x.json: "));
    assert!(book::from_directory("/does/not/exist".as_ref()).is_err());
}
