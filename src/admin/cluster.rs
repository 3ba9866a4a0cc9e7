//! The sessions, the method statistics and the overview of all nodes. A node asks the others over the bus, and names those that do not
//! answer within a second.

use std::sync::Arc;

use bolide_protocol::ejson::{CustomTypes, Object};
use bolide_protocol::{Ejson, RawJson, ejson};
use serde::{Deserialize, Serialize};

use super::{lists, overview};
use crate::accounts::AccountsCore;
use crate::bus::{Answers, Question, Subject};
use crate::call::MethodResult;
use crate::publication::Document;

/// A document in an answer.
#[derive(Serialize, Deserialize)]
struct Item {
    id: String,
    fields: RawJson,
}

/// A node, for admins.
#[derive(Serialize)]
struct ShownNode {
    /// Whether it is the one that the admin is connected with.
    own: bool,
    answers: bool,
}

/// Returns the documents of all nodes. If there are several, each names its node, and the collection `nodes` has a document for
/// each of them.
pub(super) async fn documents(core: &AccountsCore, subject: Subject) -> MethodResult<Vec<Document>> {
    let own = own_documents(core, subject).await?;
    let (Some(bus), Some(app)) = (core.node.bus(), core.node.app()) else { return Ok(own) };
    let node = app.node.as_str();
    let Answers { by_node, silent } = bus.ask(subject).await;
    let mut documents: Vec<Document> =
        own.into_iter().map(|own| own.with("node", Ejson::from(node.to_owned()))).collect();
    documents.push(Document::new("nodes", node, &ShownNode { own: true, answers: true })?);
    for (other, items) in by_node {
        documents.extend(items.iter().filter_map(|item| foreign_document(subject, &other, item)));
        documents.push(Document::new("nodes", other, &ShownNode { own: false, answers: true })?);
    }
    for other in silent {
        documents.push(Document::new("nodes", other, &ShownNode { own: false, answers: false })?);
    }
    Ok(documents)
}

/// Answers another node in the background.
pub(crate) fn answer(core: &Arc<AccountsCore>, question: &Question) {
    let (answering, question) = (Arc::clone(core), question.clone());
    core.node.in_background_for_a_node(async move {
        let Some(bus) = answering.node.bus() else { return };
        match own_documents(&answering, question.subject).await {
            Ok(documents) => bus.answer(&question, documents.iter().filter_map(item).collect()),
            Err(error) => tracing::error!(%error, "the question of another node cannot be answered"),
        }
    });
}

async fn own_documents(core: &AccountsCore, subject: Subject) -> MethodResult<Vec<Document>> {
    match subject {
        Subject::Sessions => lists::sessions(core).await,
        Subject::Methods => lists::methods(core),
        Subject::Overview => overview::of_node(core).await,
    }
}

fn item(document: &Document) -> Option<RawJson> {
    let item = Item { id: document.id().to_owned(), fields: ejson::to_raw(document.fields()).ok()? };
    RawJson::parse(&serde_json::to_string(&item).ok()?).ok()
}

/// Reads a document of another node. Its id is that of the node and its own: a method exists on each of them.
fn foreign_document(subject: Subject, node: &str, item: &RawJson) -> Option<Document> {
    let item: Item = serde_json::from_str(item.get()).ok()?;
    let fields: Object = ejson::from_raw(&item.fields, &CustomTypes::default()).ok()?;
    let collection = match subject {
        Subject::Sessions => "sessions",
        Subject::Methods => "methods",
        Subject::Overview => overview::COLLECTION,
    };
    let id = format!("{node} {}", item.id);
    Some(Document::of_object(collection, id, fields).with("node", Ejson::from(node.to_owned())))
}
