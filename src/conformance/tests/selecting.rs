//! How cases are selected by their ids, and how names that do not exist are refused.

use serde_json::json;

use super::playing::{chapter, options};
use crate::conformance::{Chapter, KnownFailures, Options};

fn book() -> Vec<Chapter> {
    let steps = json!([{"connect": true}]);
    let cases: Vec<_> = (1..=12).map(|number| json!({"name": format!("n {number}"), "steps": steps})).collect();
    let mut first = chapter(&cases.into());
    first.cases[2].needs.insert("heartbeatIntervalMs".into(), 400.into());
    let second =
        json!({"chapter": "d", "about": "a", "source": "s", "cases": [{"id": "d/1", "name": "n", "steps": []}]});
    vec![first, Chapter::parse("d.json", &second.to_string()).unwrap()]
}

fn selected(options: &Options) -> Vec<String> {
    options.selected(&book()).map(|(_, case)| case.id.clone()).collect()
}

#[test]
fn cases_are_selected_by_their_ids() {
    assert_eq!(selected(&options().case("c/1")), ["c/1"]);
    assert_eq!(selected(&options().case("c/1").case("c/1*")), ["c/1", "c/10", "c/11", "c/12"]);
    assert_eq!(selected(&options().case("d/*")), ["d/1"]);
    assert_eq!(selected(&options().case("*/1").chapter("c")), ["c/1"]);
    assert_eq!(selected(&options()).len(), 13);
}

fn refused(options: &Options) -> String {
    options.check(&book()).unwrap_err().to_string()
}

#[test]
fn names_that_do_not_exist_are_refused_with_the_nearest() {
    assert!(options().case("c/*").chapter("d").server("heartbeatIntervalMs", 1).check(&book()).is_ok());
    assert_eq!(refused(&options().case("c/13")), "the case `c/13` does not exist; the nearest is `c/1`");
    assert_eq!(refused(&options().case("c")), "the case `c` does not exist");
    assert_eq!(refused(&options().case("cc/*")), "the case `cc/*` does not exist; the nearest is `c/*`");
    assert_eq!(refused(&options().chapter("dd")), "the chapter `dd` does not exist; the nearest is `d`");
    assert_eq!(
        refused(&options().server("heartbeatInterval", 400)),
        "the need `heartbeatInterval` does not exist; the nearest is `heartbeatIntervalMs`"
    );
}

#[test]
fn known_failures_that_do_not_exist_are_refused() {
    let check = |list: &str| KnownFailures::parse(list).unwrap().check(&book()).map_err(|error| error.to_string());
    assert_eq!(check("c/1\nd/1"), Ok(()));
    let message = "a known failure: the case `c/99` does not exist; the nearest is `c/9`";
    assert_eq!(check("c/1\nc/99"), Err(message.into()));
}

#[test]
fn a_skipped_case_says_which_flag_plays_it() {
    let book = book();
    let needy = &book[0].cases[2];
    assert_eq!(options().reason_to_skip(needy).unwrap(), "it needs --need heartbeatIntervalMs=400");
    assert_eq!(options().server("heartbeatIntervalMs", 400).reason_to_skip(needy), None);
    let mut mail = needy.clone();
    mail.needs = [("mail".to_owned(), true.into()), ("transport".to_owned(), "xhr-polling".into())].into();
    assert_eq!(options().reason_to_skip(&mail).unwrap(), "it needs --smtp ADDRESS --transport xhr-polling");
}
