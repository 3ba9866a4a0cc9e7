//! What these tests need on top of [`TestClient`]: messages as JSON, and subscriptions with chosen ids.

use bolide::protocol::ServerMessage;
use bolide::testing::TestClient;
use serde_json::{Value, json};

pub(crate) trait Messages {
    /// Sends a message.
    async fn send_json(&self, message: Value);

    /// Requests a subscription. [`ready`](Self::ready) and [`nosub`](Self::nosub) read the outcome.
    async fn ask(&self, id: &str, publication: &str, params: Value);

    /// Subscribes, and waits until the subscription is ready. Its id is the name of the publication.
    async fn subscribe_by_name(&mut self, publication: &str, params: Value);

    /// Ends a subscription. [`nosub`](Self::nosub) reads the answer.
    async fn stop(&self, id: &str);

    /// Waits until a subscription is ready.
    async fn ready(&mut self, id: &str);

    /// Waits until a subscription has ended. Returns its error, or null.
    async fn nosub(&mut self, id: &str) -> Value;

    /// Returns the next message.
    async fn next(&mut self) -> Value;

    /// Returns the next message of one of these kinds. Skips other messages.
    async fn next_of(&mut self, kinds: &[&str]) -> Value;

    /// Returns all messages that the server has sent so far.
    async fn heard(&mut self) -> Vec<Value>;
}

impl Messages for TestClient {
    async fn send_json(&self, message: Value) {
        self.send_frame(message.to_string()).await;
    }

    async fn ask(&self, id: &str, publication: &str, params: Value) {
        self.send_json(json!({"msg": "sub", "id": id, "name": publication, "params": params})).await;
    }

    async fn subscribe_by_name(&mut self, publication: &str, params: Value) {
        self.ask(publication, publication, params).await;
        self.ready(publication).await;
    }

    async fn stop(&self, id: &str) {
        self.send_json(json!({"msg": "unsub", "id": id})).await;
    }

    async fn ready(&mut self, id: &str) {
        let ready = self.next_of(&["ready", "nosub"]).await;
        assert_eq!(ready, json!({"msg": "ready", "subs": [id]}));
    }

    async fn nosub(&mut self, id: &str) -> Value {
        let mut nosub = self.next_of(&["ready", "nosub"]).await;
        assert_eq!((&nosub["msg"], &nosub["id"]), (&json!("nosub"), &json!(id)), "{nosub}");
        nosub["error"].take()
    }

    async fn next(&mut self) -> Value {
        as_json(&self.next_message().await)
    }

    async fn next_of(&mut self, kinds: &[&str]) -> Value {
        let is_it = |message: &ServerMessage| kinds.iter().any(|kind| as_json(message)["msg"] == *kind);
        as_json(&self.wait_for(&format!("a message of {kinds:?}"), is_it).await)
    }

    async fn heard(&mut self) -> Vec<Value> {
        self.drain().await.iter().map(as_json).collect()
    }
}

fn as_json(message: &ServerMessage) -> Value {
    serde_json::from_str(&message.to_frame()).expect("JSON")
}
