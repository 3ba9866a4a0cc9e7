//! The floor of REST: a bare axum handler that parses the same JSON and answers the same, and nothing else.

use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Failure;

/// Serves until the process is ended.
pub(crate) fn serve() -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?.block_on(accept())
}

async fn accept() -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let router = Router::new().route("/api/v1/login", post(log_in)).route("/api/v1/method.call/{method}", post(call));
    Ok(axum::serve(listener, router).await?)
}

async fn log_in() -> impl IntoResponse {
    answer(&json!({ "data": { "userId": "user-alice", "authToken": "a token of 43 characters, as they usually are" } }))
}

async fn call(body: Bytes) -> Result<impl IntoResponse, StatusCode> {
    let body: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let message = body["message"].as_str().ok_or(StatusCode::BAD_REQUEST)?;
    let message: Value = serde_json::from_str(message).map_err(|_| StatusCode::BAD_REQUEST)?;
    let frame = json!({ "msg": "result", "id": message["id"], "result": message["params"][0] });
    Ok(answer(&json!({ "message": frame.to_string(), "success": true })))
}

fn answer(body: &Value) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, "application/json")], body.to_string())
}
