//! [`Published`]: simpleddp in a process of Node.js, which is told what to do in lines of JSON (`tests/js/cluster-client.js`).

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Documents, Outcome, PATIENCE};

/// A process with one client.
#[derive(Debug)]
pub(crate) struct Published {
    _process: Child,
    input: tokio::sync::Mutex<ChildStdin>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Value>>,
    disconnections: usize,
    last: VecDeque<String>,
}

impl Published {
    /// Connects to a port of this machine and subscribes to a publication of `items`.
    pub(crate) async fn watching(port: u16, publication: &str, params: &Value) -> anyhow::Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../js/cluster-client.js");
        let mut process = Command::new("node")
            .arg(script)
            .arg(format!("ws://127.0.0.1:{port}/websocket"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run `node`")?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let (input, output) = (input.context("it has an input")?, output.context("it has an output")?);
        let state = Arc::new(Mutex::new(State::default()));
        tokio::spawn(read(output, Arc::clone(&state)));
        let client = Self { _process: process, input: tokio::sync::Mutex::new(input), state };
        let subscribed = client.ask(json!({ "op": "subscribe", "name": publication, "params": params })).await?;
        anyhow::ensure!(subscribed.get("error").is_none(), "{subscribed}");
        Ok(client)
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> Outcome {
        let answer = match self.ask(json!({ "op": "call", "method": method, "params": params })).await {
            Ok(answer) => answer,
            Err(error) => return Outcome::Unknown(error.to_string()),
        };
        if let Some(reason) = answer.get("unknown") {
            return Outcome::Unknown(reason.to_string());
        }
        match answer.get("error") {
            Some(error) => {
                let code = error["error"].as_str().map_or_else(|| error["error"].to_string(), str::to_owned);
                Outcome::of_error(code, error["reason"].as_str().unwrap_or_default().to_owned())
            }
            None => Outcome::Done(answer["result"].clone()),
        }
    }

    pub(crate) async fn view(&self) -> anyhow::Result<Documents> {
        let mut answer = self.ask(json!({ "op": "view" })).await?;
        if let Some(contradiction) = answer.get("error") {
            anyhow::bail!("the published client was sent a contradiction: {contradiction}");
        }
        Ok(serde_json::from_value(answer["documents"].take())?)
    }

    pub(crate) fn disconnections(&self) -> usize {
        self.state.lock().disconnections
    }

    pub(crate) fn recording(&self) -> Vec<String> {
        self.state.lock().last.iter().cloned().collect()
    }

    async fn ask(&self, mut question: Value) -> anyhow::Result<Value> {
        let (answered, answer) = oneshot::channel();
        let id = {
            let mut state = self.state.lock();
            state.last_id += 1;
            let id = state.last_id;
            state.waiting.insert(id, answered);
            id
        };
        question["id"] = id.into();
        self.input.lock().await.write_all(format!("{question}\n").as_bytes()).await?;
        Ok(timeout(PATIENCE, answer).await.context("no answer")??)
    }
}

/// Reads the answers, and what happens to the connection.
async fn read(output: ChildStdout, state: Arc<Mutex<State>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let mut state = state.lock();
        if let Some(asked) = message["id"].as_u64().and_then(|id| state.waiting.remove(&id)) {
            let _given_up = asked.send(message);
            continue;
        }
        if message["event"] == "disconnected" {
            state.disconnections += 1;
        }
        if state.last.len() == 60 {
            state.last.pop_front();
        }
        state.last.push_back(line.chars().take(200).collect());
    }
}
