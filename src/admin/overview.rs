//! The documents of the overview: the series of the last 15 minutes, the slow calls, and what is wrong. Those of a node are
//! told to the others; what concerns all nodes is told by the one that the admin is connected with.

use bolide_protocol::ejson::Date;
use serde::Serialize;

use super::history::{EVERY, History, Series};
use super::problems;
use crate::accounts::AccountsCore;
use crate::call::{MethodResult, SlowCall};
use crate::publication::Document;

pub(super) const COLLECTION: &str = "overview";

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Shown<'app> {
    /// When the last sample was taken, and the seconds between two.
    Samples {
        at: Option<Date>,
        every: u64,
    },
    Series {
        values: Vec<f64>,
    },
    SlowCall {
        method: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<&'app str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        began: Date,
        milliseconds: f64,
    },
    Problem(&'app problems::Problem),
}

/// Returns the documents about this node.
pub(super) async fn of_node(core: &AccountsCore) -> MethodResult<Vec<Document>> {
    let Some(app) = core.node.app() else { return Ok(Vec::new()) };
    let mut documents = Vec::new();
    if let Some(history) = app.slot::<History>() {
        let at = history.taken_at().map(crate::clock::Timestamp::to_date);
        documents.push(document("samples", &Shown::Samples { at, every: EVERY.as_secs() })?);
        for series in Series::ALL {
            documents.push(document(series.as_str(), &Shown::Series { values: history.values(*series) })?);
        }
        documents.extend(of_problems("node", &problems::of_node(&app, history, core.store.file()).await)?);
    }
    for call in app.slow_calls.list() {
        documents.push(slow_call(core, &call).await?);
    }
    Ok(documents)
}

/// Returns the documents about what the nodes share.
pub(super) async fn of_all_nodes(core: &AccountsCore) -> MethodResult<Vec<Document>> {
    of_problems("all", &problems::of_all_nodes(core).await?)
}

fn of_problems(of: &str, found: &[problems::Problem]) -> MethodResult<Vec<Document>> {
    let shown = |(place, problem)| document(&format!("problem {of} {place}"), &Shown::Problem(problem));
    found.iter().enumerate().map(shown).collect()
}

async fn slow_call(core: &AccountsCore, call: &SlowCall) -> MethodResult<Document> {
    let username = match &call.user {
        // A store that fails is told as a problem; the id is shown instead of the name.
        Some(id) => core.store.user(id).await.ok().flatten().and_then(|user| user.username),
        None => None,
    };
    let shown = Shown::SlowCall {
        method: call.method.shown_name(),
        user_id: call.user.as_ref().map(crate::user::UserId::as_str),
        username,
        began: call.began.to_date(),
        milliseconds: call.took.as_secs_f64() * 1000.0,
    };
    document(&format!("slow {}", call.number), &shown)
}

fn document(id: &str, shown: &Shown<'_>) -> MethodResult<Document> {
    Ok(Document::new(COLLECTION, id, shown)?)
}
