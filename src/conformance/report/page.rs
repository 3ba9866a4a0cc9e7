//! [`page`]: several records as one page of HTML without scripts: a matrix of servers and chapters, and the cases below.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::escape::markup;
use super::{Counts, Failure, Outcome, Record, Verdict};

const STYLE: &str = include_str!("page.css");

/// Returns a page that compares `records`, each of which is a column. It needs no other file and no script.
#[must_use]
pub fn page(records: &[Record]) -> String {
    let chapters = chapters(records);
    let runners: BTreeSet<&str> = records.iter().map(|record| record.runner.as_str()).collect();
    let runners = runners.into_iter().collect::<Vec<_>>().join(", ");
    let mut body = String::new();
    body.push_str("<header><h1>DDP conformance</h1>");
    let _infallible = write!(
        body,
        "<p>{} {} held against the cases of <code>bolide conformance</code> {}.</p></header>",
        records.len(),
        if records.len() == 1 { "server" } else { "servers" },
        markup(&runners)
    );
    body.push_str("<main>");
    body.push_str(&servers(records));
    body.push_str(&matrix(records, &chapters));
    body.push_str(&details(records, &chapters));
    body.push_str("</main>");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>DDP conformance: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n",
        names(records)
    )
}

fn names(records: &[Record]) -> String {
    let names: Vec<String> = records.iter().map(|record| markup(&record.subject.name)).collect();
    names.join(", ")
}

/// A chapter of any record.
struct Chapter<'record> {
    name: &'record str,
    /// The ids of its cases, in the order in which they first occur.
    ids: Vec<&'record str>,
    /// The outcomes of each record by id.
    outcomes: Vec<BTreeMap<&'record str, &'record Outcome>>,
}

/// Returns the chapters of all records, in the order in which they first occur.
fn chapters(records: &[Record]) -> Vec<Chapter<'_>> {
    let mut chapters: Vec<Chapter<'_>> = Vec::new();
    for (column, record) in records.iter().enumerate() {
        for outcome in &record.outcomes {
            let place = chapters.iter().position(|chapter| chapter.name == outcome.chapter);
            let place = place.unwrap_or_else(|| {
                let outcomes = vec![BTreeMap::new(); records.len()];
                chapters.push(Chapter { name: &outcome.chapter, ids: Vec::new(), outcomes });
                chapters.len() - 1
            });
            chapters[place].add(column, outcome);
        }
    }
    chapters
}

impl<'record> Chapter<'record> {
    fn add(&mut self, column: usize, outcome: &'record Outcome) {
        let is_known = self.outcomes.iter().any(|outcomes| outcomes.contains_key(outcome.id.as_str()));
        if !is_known {
            self.ids.push(&outcome.id);
        }
        self.outcomes[column].insert(&outcome.id, outcome);
    }

    fn counts(&self, column: usize) -> Counts {
        Counts::of(self.outcomes[column].values().copied())
    }

    fn has_failures(&self) -> bool {
        (0..self.outcomes.len()).any(|column| has_failures(self.counts(column)))
    }

    /// Returns an id that is unique on the page.
    fn anchor(&self) -> String {
        let letters = self.name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
        format!("chapter-{}", letters.collect::<String>())
    }
}

const fn has_failures(counts: Counts) -> bool {
    counts.failed + counts.known_failures > 0
}

/// One card for each server.
fn servers(records: &[Record]) -> String {
    let mut html =
        String::from("<section aria-labelledby=\"servers\"><h2 id=\"servers\">Servers</h2><ul class=\"cards\">");
    for record in records {
        let (subject, counts) = (&record.subject, record.counts());
        let date = subject.date.split('T').next().unwrap_or_default();
        let _infallible = write!(
            html,
            "<li class=\"card\"><h3>{}</h3><p class=\"big\"><strong>{}</strong> of {} cases passed</p>{}\
             <dl>{}</dl><p class=\"how\">Level <code>{}</code> over {} at <code>{}</code>, {}</p></li>",
            markup(&subject.name),
            counts.passed + counts.non_strict,
            counts.run(),
            bar(counts),
            legend(counts),
            subject.level,
            markup(&subject.transport),
            markup(&subject.address),
            markup(date)
        );
    }
    html.push_str("</ul></section>");
    html
}

/// The parts of a bar: the class, the name and the number of cases.
const fn parts(counts: Counts) -> [(&'static str, &'static str, usize); 6] {
    [
        ("passed", "passed", counts.passed),
        ("nonstrict", "non-strict", counts.non_strict),
        ("failed", "failed", counts.failed),
        ("known", "failed as expected", counts.known_failures),
        ("unimplemented", "unimplemented", counts.unimplemented),
        ("skipped", "skipped", counts.skipped),
    ]
}

/// A bar of the cases that were run or could not be run. The numbers stand beside it as text.
fn bar(counts: Counts) -> String {
    let drawn = parts(counts).into_iter().filter(|(class, _, number)| *class != "skipped" && *number > 0);
    let spans = drawn.map(|(class, _, number)| format!("<span class=\"{class}\" style=\"flex-grow:{number}\"></span>"));
    let spans = spans.collect::<Vec<String>>().concat();
    format!("<div class=\"bar\" aria-hidden=\"true\">{spans}</div>")
}

fn legend(counts: Counts) -> String {
    let shown = parts(counts).into_iter().filter(|(_, _, number)| *number > 0);
    let entry = |(class, name, number)| format!("<div class=\"{class}\"><dt>{name}</dt><dd>{number}</dd></div>");
    shown.map(entry).collect::<Vec<String>>().concat()
}

/// The table of chapters and servers.
fn matrix(records: &[Record], chapters: &[Chapter<'_>]) -> String {
    let mut html = String::from(
        "<section aria-labelledby=\"matrix\"><h2 id=\"matrix\">Chapters</h2>\
         <p class=\"filter\"><input type=\"checkbox\" id=\"only\"><label for=\"only\">Only what a server fails</label></p>\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"matrix\"><table class=\"matrix\">\
         <caption>Cases passed, of those that were run. A dash means that none was.</caption>\
         <thead><tr><th scope=\"col\">Chapter</th>",
    );
    for record in records {
        let _infallible = write!(
            html,
            "<th scope=\"col\">{}<small>level {}</small></th>",
            markup(&record.subject.name),
            record.subject.level
        );
    }
    html.push_str("</tr></thead><tbody>");
    for chapter in chapters {
        let _infallible = write!(
            html,
            "<tr{}><th scope=\"row\"><a href=\"#{}\">{}</a></th>",
            kept_if(chapter.has_failures()),
            chapter.anchor(),
            markup(chapter.name)
        );
        for column in 0..records.len() {
            html.push_str(&cell(chapter.counts(column)));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div></section>");
    html
}

/// Rows without failures disappear if only failures are shown.
const fn kept_if(has_failures: bool) -> &'static str {
    if has_failures { "" } else { " class=\"fine\"" }
}

fn cell(counts: Counts) -> String {
    let class = match counts {
        _ if counts.run() == 0 => "none",
        _ if counts.failed > 0 => "failed",
        _ if counts.known_failures > 0 => "known",
        _ if counts.non_strict > 0 => "nonstrict",
        _ => "passed",
    };
    let told: Vec<String> = parts(counts)
        .into_iter()
        .filter(|(class, _, number)| !matches!(*class, "passed") && *number > 0)
        .map(|(_, name, number)| format!("{number} {name}"))
        .collect();
    let numbers = match counts.run() {
        0 => "–".to_owned(),
        run => format!("{}<span class=\"of\"> / {run}</span>", counts.passed + counts.non_strict),
    };
    let told = told.join(", ");
    format!("<td class=\"{class}\"><span class=\"n\">{numbers}</span>{}<small>{told}</small></td>", bar(counts))
}

/// The cases of each chapter, which unfold.
fn details(records: &[Record], chapters: &[Chapter<'_>]) -> String {
    let mut html = String::from("<section aria-labelledby=\"cases\"><h2 id=\"cases\">Cases</h2>");
    for chapter in chapters {
        let failures: usize = (0..records.len()).map(|column| chapter.counts(column)).map(failures).sum();
        let note =
            if failures == 0 { String::new() } else { format!(" <span class=\"failed\">{failures} failed</span>") };
        // The anchor is within the part that unfolds: following a link to it unfolds it.
        let _infallible = write!(
            html,
            "<details class=\"chapter{}\"><summary>{} <small>{} cases{note}</small></summary>\
             <div class=\"scroll\" id=\"{}\"><table><thead><tr><th scope=\"col\">Case</th><th scope=\"col\">Rule</th>",
            if chapter.has_failures() { "" } else { " fine" },
            markup(chapter.name),
            chapter.ids.len(),
            chapter.anchor()
        );
        for record in records {
            let _infallible = write!(html, "<th scope=\"col\">{}</th>", markup(&record.subject.name));
        }
        html.push_str("</tr></thead><tbody>");
        for id in &chapter.ids {
            html.push_str(&row(chapter, id));
        }
        html.push_str("</tbody></table></div></details>");
    }
    html.push_str("</section>");
    html
}

const fn failures(counts: Counts) -> usize {
    counts.failed + counts.known_failures
}

fn row(chapter: &Chapter<'_>, id: &str) -> String {
    let outcomes: Vec<Option<&Outcome>> = chapter.outcomes.iter().map(|outcomes| outcomes.get(id).copied()).collect();
    let Some(any) = outcomes.iter().flatten().next() else {
        return String::new();
    };
    let is_failure = |outcome: &&Outcome| matches!(outcome.verdict, Verdict::Failed(_) | Verdict::KnownFailure(_));
    let has_failed = outcomes.iter().flatten().any(is_failure);
    let mut html = format!(
        "<tr{}><td><code>{}</code></td><th scope=\"row\">{}<small>{} · {}</small></th>",
        kept_if(has_failed),
        markup(id),
        markup(&any.case),
        any.level,
        markup(&any.source)
    );
    for outcome in outcomes {
        html.push_str(
            &outcome.map_or_else(|| "<td class=\"none\">–</td>".to_owned(), |outcome| verdict(&outcome.verdict)),
        );
    }
    html.push_str("</tr>");
    html
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Passed => "<td class=\"passed\">✓ passed</td>".into(),
        Verdict::NonStrict(departures) => unfolding("nonstrict", "≈ non-strict", &markup(&departures.join("\n"))),
        Verdict::Failed(failure) => unfolding("failed", &heading("✗ failed", failure), &told(failure)),
        Verdict::KnownFailure(failure) => unfolding("known", &heading("✗ failed as expected", failure), &told(failure)),
        Verdict::Unimplemented(reason) => {
            format!("<td class=\"unimplemented\">– unimplemented<small>{}</small></td>", markup(reason))
        }
        Verdict::Skipped(reason) => format!("<td class=\"skipped\">– skipped<small>{}</small></td>", markup(reason)),
    }
}

fn unfolding(class: &str, summary: &str, content: &str) -> String {
    format!(
        "<td class=\"{class}\"><details><summary>{summary}</summary><pre tabindex=\"0\">{content}</pre></details></td>"
    )
}

fn heading(word: &str, failure: &Failure) -> String {
    format!("{word}<small>{}</small>", markup(&failure.difference))
}

fn told(failure: &Failure) -> String {
    let frames = if failure.transcript.is_empty() { "" } else { "\n\nthe last frames\n" };
    markup(&format!("step {}\n{}{frames}{}", failure.step, failure.reason, failure.transcript.join("\n")))
}
