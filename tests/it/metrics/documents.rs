//! The page about the metrics, the dashboard and the alert rules use the names that a server tells, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bolide::bus::LocalBus;
use bolide::prelude::*;

use super::open_metrics::Exposition;
use super::read;

/// The metrics of an app with all that has metrics.
async fn whole() -> Exposition {
    let items: Collection = Collection::new("items");
    let accounts = Accounts::sqlite(":memory:").await.unwrap();
    let app = App::builder()
        .accounts(accounts)
        .collection(&items)
        .bus(LocalBus::default())
        .method("add", TwoFactor::none(), async |_: Context, a: f64, b: f64| Ok(a + b))
        .build()
        .unwrap();
    app.call::<f64>(&Caller::anonymous(), "add", &(1, 2)).await.unwrap();
    read(&app).await
}

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(path)).expect("a document")
}

#[tokio::test]
async fn the_page_describes_each_metric_with_its_labels() {
    let metrics = whole().await;
    let page = text("metrics.md");
    let table = page.split("## The metrics").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the table");
    let mut described = BTreeMap::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
        let name = quoted(cells[0]).pop_first().expect("a name");
        described.insert(name, quoted(cells[1]));
    }
    let mut told = BTreeMap::new();
    for (name, family) in &metrics.families {
        let name = match family.kind.as_str() {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.clone(),
        };
        let labels = family.samples.iter().flat_map(|sample| sample.labels.keys().cloned());
        told.insert(name, labels.filter(|label| label != "le").collect::<BTreeSet<_>>());
    }
    assert_eq!(described.keys().collect::<Vec<_>>(), told.keys().collect::<Vec<_>>());
    for (name, labels) in told.iter().filter(|(_, labels)| !labels.is_empty()) {
        assert_eq!(&described[name], labels, "{name}");
    }
}

#[tokio::test]
async fn the_dashboard_asks_for_what_a_server_tells() {
    let metrics = whole().await;
    let dashboard: serde_json::Value = serde_json::from_str(&text("monitoring/grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().expect("panels");
    let expressions = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let expressions: Vec<&str> = expressions.map(|target| target["expr"].as_str().expect("an expression")).collect();
    assert!(expressions.len() > 20);
    for expression in expressions {
        check(expression, &metrics);
    }
}

#[tokio::test]
async fn the_alert_rules_ask_for_what_a_server_tells() {
    let metrics = whole().await;
    let rules = text("monitoring/alerts.yml");
    let expressions: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert_eq!(expressions.len(), rules.matches("- alert: ").count());
    assert!(expressions.len() > 10);
    for expression in expressions {
        check(expression, &metrics);
    }
}

#[tokio::test]
async fn an_unknown_name_or_label_in_an_expression_is_found() {
    let metrics = whole().await;
    check("sum by (method) (rate(bolide_calls_total{outcome=\"ok\"}[5m]))", &metrics);
    for wrong in [
        "bolide_call_total",
        "bolide_calls",
        "sum(bolide_calls_total{method_name=\"a\"})",
        "sum by (verb) (bolide_calls_total)",
    ] {
        assert!(mistake(wrong, &metrics).is_some(), "{wrong}");
    }
}

#[track_caller]
fn check(expression: &str, metrics: &Exposition) {
    let mistake = mistake(expression, metrics);
    assert!(mistake.is_none(), "{}: {expression}", mistake.unwrap_or_default());
}

/// Returns the first name in an expression that no metric has, or label that its metrics do not have.
fn mistake(expression: &str, metrics: &Exposition) -> Option<String> {
    /// Names that Prometheus itself adds.
    const OF_PROMETHEUS: [&str; 3] = ["up", "job", "instance"];
    let names = metrics.sample_names();
    let words = words(expression);
    let metric = |word: &str| word.starts_with("bolide_") || word.starts_with("process_");
    if let Some(unknown) = words.iter().find(|word| metric(word) && !names.contains(**word)) {
        return Some(format!("there is no metric {unknown}"));
    }
    let used: BTreeSet<&str> = words.iter().copied().filter(|word| metric(word)).collect();
    let samples = metrics.families.values().flat_map(|family| &family.samples);
    let samples: Vec<_> = samples.filter(|sample| used.contains(sample.name.as_str())).collect();
    let labels: BTreeSet<&str> = samples.iter().flat_map(|sample| sample.labels.keys().map(String::as_str)).collect();
    if samples.is_empty() {
        // Some metrics have samples in some states only, such as that of what is away.
        return None;
    }
    let in_use = used_labels(expression);
    let unknown = in_use.iter().find(|label| !labels.contains(**label) && !OF_PROMETHEUS.contains(label));
    unknown.map(|label| format!("there is no label {label}"))
}

/// Returns the names in an expression, without what is in quotes.
fn words(expression: &str) -> Vec<&str> {
    let unquoted = expression.split('"').step_by(2);
    let is_apart = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    unquoted.flat_map(move |part| part.split(is_apart)).filter(|word| !word.is_empty()).collect()
}

/// Returns the labels that an expression selects or groups by.
fn used_labels(expression: &str) -> Vec<&str> {
    let mut labels = Vec::new();
    for part in expression.split("by (").skip(1) {
        let list = part.split(')').next().unwrap_or_default();
        labels.extend(list.split(',').map(str::trim));
    }
    for part in expression.split('{').skip(1) {
        let selectors = part.split('}').next().unwrap_or_default();
        let before_quotes = selectors.split('"').step_by(2);
        labels.extend(before_quotes.map(|name| name.trim_matches(|c: char| !c.is_ascii_alphabetic() && c != '_')));
    }
    labels.retain(|label| !label.is_empty());
    labels
}
