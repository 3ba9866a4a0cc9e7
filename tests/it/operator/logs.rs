//! `--log-format`: the form of the log.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::{Data, complaint};
use crate::waiting::soon;

#[tokio::test]
async fn a_log_for_programs_has_a_json_object_on_each_line() {
    let data = Data::new("logs");
    let file = data.directory.join("log");
    let mut command = data.bolide(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    let mut process = command.stdout(Stdio::null()).stderr(std::fs::File::create(&file).unwrap()).spawn().unwrap();
    let logged = async {
        while !std::fs::read_to_string(&file).unwrap_or_default().contains("this is the node") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(logged).await;
    process.kill().unwrap();
    process.wait().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert!(entry["level"].is_string() && entry["fields"]["message"].is_string(), "{line}");
    }
}

#[test]
fn an_unknown_form_is_refused_with_those_that_there_are() {
    let data = Data::new("logs-refused");
    let said = complaint(&data.run(&["serve", "--log-format", "xml"], ""));
    assert!(said.contains("--log-format") && said.contains("text") && said.contains("json"), "{said}");
}
