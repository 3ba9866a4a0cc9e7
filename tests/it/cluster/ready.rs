//! `/ready` and `/health` of a node that is alone.

use std::net::SocketAddr;

use bolide::App;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Node, Shared};
use crate::http::request;
use crate::server::Server;

#[tokio::test]
async fn a_node_that_is_alone_is_ready() {
    let server = Server::start(App::builder().path_prefix("/chat").build().unwrap()).await;
    let answer = request(server.address, "GET", "/chat/ready", &[], "").await;
    assert_eq!((answer.status(), answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.body().await, r#"{"degraded":[],"status":"ready"}"#);
}

#[tokio::test]
async fn nodes_on_a_bus_within_the_process_are_ready_at_once() {
    let shared = Shared::new().await;
    let bus = bolide::bus::LocalBus::default();
    let nodes: [Node; 2] = [shared.node(bus.clone()).await, shared.node(bus).await];
    for node in &nodes {
        assert_eq!(node.ready().await, (200, json!({ "status": "ready", "degraded": [] })));
    }
}

#[tokio::test]
async fn a_node_that_shuts_down_is_not_ready_and_still_healthy() {
    let app = App::builder().build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // In a server that goes on.
    let service = app.router().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    app.shutdown().await;
    let answer = request(address, "GET", "/ready", &[], "").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.body().await, r#"{"reason":"the server is shutting down","status":"unavailable"}"#);
    let answer = request(address, "GET", "/health", &[], "").await;
    assert_eq!((answer.status(), answer.body().await.as_str()), (200, "ok"));
}
