//! SockJS: answers without a session, frames over a WebSocket, and connections over HTTP requests.

mod plain;
mod requests;
mod websocket;

use std::time::Duration;

use bolide::protocol::sockjs::Frame;
use bolide::{App, Limits};
use serde_json::Value;

use crate::application::register;
use crate::http::{Answer, request};
use crate::server::Server;

const NOT_CACHED: &str = "no-store, no-cache, no-transform, must-revalidate, max-age=0";

async fn server_with(limits: Limits) -> Server {
    let app = register(App::builder()).limits(limits).build().expect("the app fits together");
    Server::start(app).await
}

/// A server that does not keep the sessions of clients that have left.
async fn forgetful_server() -> Server {
    server_with(Limits { resume_grace: Duration::ZERO, ..Limits::default() }).await
}

async fn get(server: &Server, path: &str) -> Answer {
    request(server.address, "GET", path, &[], "").await
}

async fn post(server: &Server, path: &str, body: &str) -> Answer {
    request(server.address, "POST", path, &[], body).await
}

fn in_frame(frame: Frame) -> Vec<Value> {
    let Frame::Messages(messages) = frame else { panic!("messages were expected, not {frame:?}") };
    messages.iter().map(|message| serde_json::from_str(message).expect("JSON")).collect()
}

fn results(messages: Vec<Value>) -> impl Iterator<Item = u64> {
    messages.into_iter().filter_map(|message| message["result"].as_u64())
}
