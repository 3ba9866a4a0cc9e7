//! Resumption under attack: at most one connection resumes a session, and only one that knows what was
//! sent. Successful resumption is tested by `protocol/conformance/resumption.json`.

use std::collections::HashSet;
use std::time::Duration;

use bolide::{App, Limits};
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::application::{application, register};
use crate::client::{Client, resume};
use crate::server::Server;
use crate::waiting::until;

/// A session that waits for its client, which has only received `connected`.
async fn session_away(server: &Server) -> String {
    let client = Client::connect(server.address).await;
    let session = client.session().to_owned();
    client.leave().await;
    session
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_parallel_resumptions_exactly_one_gets_the_session() {
    let server = Server::start(application()).await;
    for _ in 0..20 {
        let session = session_away(&server).await;
        let mut rivals = Vec::new();
        for _ in 0..8 {
            rivals.push(Client::open(server.address).await);
        }
        for rival in &mut rivals {
            rival.send(resume(&session, 1)).await;
        }
        for rival in &mut rivals {
            rival.expect_connected().await;
        }
        let winners = rivals.iter().filter(|rival| rival.session() == session).count();
        let sessions: HashSet<&str> = rivals.iter().map(Client::session).collect();
        assert_eq!((winners, sessions.len()), (1, 8));
        for mut rival in rivals {
            assert_eq!(rival.ask("add", json!([1, 2])).await["result"], json!(3));
        }
    }
}

#[tokio::test]
async fn a_connected_session_cannot_be_taken_over() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    for received in [0, 1, 2, u64::MAX] {
        let mut thief = Client::come_back(server.address, client.session(), received).await;
        assert_ne!(thief.session(), client.session());
        thief.ping().await;
    }
    client.ping().await;
}

#[tokio::test]
async fn a_wrong_count_ends_the_session_for_good() {
    let server = Server::start(application()).await;
    for received in [0, 2, u64::MAX] {
        let session = session_away(&server).await;
        let thief = Client::come_back(server.address, &session, received).await;
        assert_ne!(thief.session(), session);
        let late = Client::come_back(server.address, &session, 1).await;
        assert_ne!(late.session(), session);
    }
}

#[tokio::test]
async fn a_client_cannot_resume_its_current_session() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    let itself = resume(client.session(), 1);
    client.send(itself).await;
    assert_eq!(client.next().await["reason"], "Already connected");
    client.ping().await;
}

#[tokio::test]
async fn frames_after_a_resuming_connect_are_read_once_and_in_order() {
    let server = Server::start(application()).await;
    let session = session_away(&server).await;
    let mut client = Client::open(server.address).await;
    client.send(resume(&session, 1)).await;
    for id in 0..50 {
        client.call(&id.to_string(), "echo", json!([id])).await;
    }
    client.expect_connected().await;
    assert_eq!(client.session(), session);
    for id in 0..50 {
        assert_eq!(client.next().await, json!({"msg": "updated", "methods": [id.to_string()]}));
        assert_eq!(client.next().await["result"], json!(id));
    }
}

#[tokio::test]
async fn a_connection_lost_during_resumption_leaves_the_session_to_the_next() {
    let server = Server::start(application()).await;
    let session = session_away(&server).await;
    let mut hasty = Client::open(server.address).await;
    hasty.send(resume(&session, 1)).await;
    hasty.expect_connected().await;
    drop(hasty);
    until(|| server.app.session_count() == 1).await;
    let patient = Client::come_back(server.address, &session, 2).await;
    assert_eq!(patient.session(), session);
}

#[tokio::test]
async fn sessions_whose_client_never_returns_end() {
    let limits = Limits { resume_grace: Duration::from_millis(100), ..Limits::default() };
    let app = register(App::builder()).limits(limits).build().expect("the app fits together");
    let server = Server::start(app).await;
    for _ in 0..10 {
        session_away(&server).await;
    }
    until(|| server.app.session_count() == 0).await;
}

#[tokio::test]
async fn only_a_client_that_goes_away_ends_its_session_at_once() {
    let server = Server::start(application()).await;
    for (code, is_over) in [(None, false), (Some(1000), false), (Some(1001), true), (Some(1011), false)] {
        let client = Client::connect(server.address).await;
        let session = client.session().to_owned();
        let close = code.map(|code: u16| CloseFrame { code: code.into(), reason: "".into() });
        client.close_with(close).await;
        let mut again = Client::come_back(server.address, &session, 1).await;
        assert_eq!(again.session() != session, is_over, "{code:?}");
        again.ping().await;
    }
}
