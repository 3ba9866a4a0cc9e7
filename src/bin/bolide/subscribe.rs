//! `bolide subscribe URL PUBLICATION [JSON…]`: prints a live table on a terminal, otherwise a JSON object per change.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write as _};

use bolide::client::{Change, Client, Document, Subscription};
use futures::FutureExt as _;
use serde_json::{Value, json};

use crate::output::{EXIT_CODES, Failure, Paint, harmless, painted, print_line};
use crate::progress::Progress;
use crate::server_arguments::{ServerArguments, TokenArguments, parameters};

/// The maximum width of a value in characters; longer values are cut.
const COLUMN_WIDTH: usize = 32;

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerArguments,

    /// Name of the publication.
    publication: String,

    /// Parameters, each as JSON or EJSON.
    #[arg(allow_negative_numbers = true)]
    params: Vec<String>,

    #[command(flatten)]
    token: TokenArguments,

    /// Prints a JSON object per change, also on a terminal.
    #[arg(long)]
    json: bool,

    /// Prints the initial documents and exits.
    #[arg(long)]
    once: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let params = parameters(&arguments.params)?;
    let progress = Progress::of(format!("{} at {}", arguments.publication, arguments.server.url));
    let (client, subscription) = arguments
        .server
        .in_time(async {
            let client = arguments.server.sign_in(&arguments.token, progress.curtain()).await?;
            let subscription = client.subscribe(&arguments.publication, &params)?;
            subscription.ready().await?;
            Ok((client, subscription))
        })
        .await?;
    drop(progress);
    let as_table = io::stdout().is_terminal() && !arguments.json;
    match (as_table, arguments.once) {
        (true, true) => print_line(&table(&client)),
        (false, true) => print_documents(&client),
        (true, false) => follow(&client, subscription, &mut Screen::default()).await?,
        (false, false) => follow(&client, subscription, &mut Lines).await?,
    }
    client.close().await;
    Ok(())
}

/// Shows changes as they arrive.
trait Show {
    /// Handles one change.
    fn change(&mut self, change: &Change);

    /// Called when no further change is waiting.
    fn settle(&mut self, client: &Client);
}

async fn follow(client: &Client, subscription: Subscription, show: &mut impl Show) -> Result<(), Failure> {
    let mut changes = client.changes();
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(change) => {
                    show.change(&change);
                    while let Some(Some(change)) = changes.next().now_or_never() {
                        show.change(&change);
                    }
                    show.settle(client);
                }
                None => return subscription.ready().await.map_err(Failure::from),
            },
            stopped = subscription.stopped() => return stopped.map_err(Failure::from),
        }
    }
}

/// Prints a JSON object per change, in the form of a DDP message.
struct Lines;

impl Show for Lines {
    fn change(&mut self, change: &Change) {
        print_json(&as_json(change));
    }

    fn settle(&mut self, _: &Client) {}
}

/// Prints JSON in one line, as it is for a program and harmless on a terminal.
fn print_json(json: &Value) {
    let line = json.to_string();
    print_line(&if io::stdout().is_terminal() { harmless(&line) } else { line });
}

fn print_documents(client: &Client) {
    for (collection, document) in documents(client) {
        print_json(&as_json(&Change::Added { collection, document }));
    }
}

fn documents(client: &Client) -> impl Iterator<Item = (String, Document)> {
    client.collections().into_iter().flat_map(|collection| {
        let documents = client.documents(&collection);
        documents.into_iter().map(move |document| (collection.clone(), document))
    })
}

fn as_json(change: &Change) -> Value {
    match change {
        Change::Added { collection, document } => json!({
            "msg": "added", "collection": collection, "id": document.id().to_wire(), "fields": document.fields(),
        }),
        Change::Changed { collection, id, fields, cleared } => json!({
            "msg": "changed", "collection": collection, "id": id.to_wire(), "fields": fields, "cleared": cleared,
        }),
        Change::Removed { collection, id } => json!({
            "msg": "removed", "collection": collection, "id": id.to_wire(),
        }),
        Change::Reset => json!({ "msg": "reset" }),
    }
}

/// A table that is redrawn in place.
#[derive(Default)]
struct Screen {
    lines: usize,
}

impl Show for Screen {
    fn change(&mut self, _: &Change) {}

    fn settle(&mut self, client: &Client) {
        let table = table(client);
        let mut output = io::stdout().lock();
        if self.lines > 0 {
            let _closed = write!(output, "\x1b[{}A\x1b[J", self.lines);
        }
        // Turns wrapping off, since wrapped lines would take more lines than were counted.
        let _closed = writeln!(output, "\x1b[?7l{table}\x1b[?7h");
        self.lines = table.lines().count();
    }
}

/// Formats all documents by collection.
fn table(client: &Client) -> String {
    let mut text = String::new();
    let (height, _) = console::Term::stdout().size();
    let height = usize::from(height).max(5) - 1;
    for collection in client.collections() {
        let documents = client.documents(&collection);
        let heading = format!("{} ({})", harmless(&collection), documents.len());
        text.push_str(&painted(true, Paint::Bold, &heading));
        text.push('\n');
        for row in rows(&documents) {
            text.push_str(&row);
            text.push('\n');
        }
    }
    text.lines().take(height).collect::<Vec<_>>().join("\n")
}

fn rows(documents: &[Document]) -> Vec<String> {
    let fields = documents.iter().flat_map(|document| document.fields().keys().map(String::as_str));
    let names: BTreeSet<&str> = fields.filter(|name| *name != "_id").collect();
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(std::iter::once("_id").chain(names.iter().copied()).map(harmless));
    table.add_rows(documents.iter().map(|document| {
        let id = harmless(&document.id().to_wire());
        let values = names.iter().map(|name| document.fields().get(*name).map(|value| cell(value.get())));
        std::iter::once(id).chain(values.map(Option::unwrap_or_default)).collect::<Vec<_>>()
    }));
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    let mut lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    if let Some(heading) = lines.first_mut() {
        *heading = painted(true, Paint::Blue, heading);
    }
    lines
}

/// Formats a value for a cell, without the quotes of a string. Long values are cut.
fn cell(json: &str) -> String {
    let shown = harmless(&serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned()));
    match shown.char_indices().nth(COLUMN_WIDTH) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}
