//! The envelope in which an event travels: JSON, `{version, cluster, node, epoch, n, event}`.
//!
//! The rules for what arrives: a message of another cluster is ignored. A message of a newer version is skipped, and so is an
//! event of an unknown kind or with fields of another type; the node then counts as having missed something, and asks the
//! store. So nodes of two versions can run side by side.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ClusterName;
use super::event::BusEvent;

/// The version of the envelope that this node sends and reads.
const VERSION: u32 = 1;

/// The maximum number of bytes of a message that a node reads, whatever a bus delivers. Buses may carry less.
pub(super) const MAX_BYTES: usize = 512 << 10;

/// The maximum number of characters of the id of a node and of an epoch.
const MAX_ID_LENGTH: usize = 64;

/// Who sends: the cluster, the node, and the run of the node. The epoch is drawn when the node joins, since a node that
/// begins again counts from 1 again.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) cluster: ClusterName,
    pub(super) node: Box<str>,
    pub(super) epoch: Box<str>,
}

/// What is in a message.
#[derive(Debug, PartialEq)]
pub(super) enum Opened<'message> {
    /// A message of another cluster.
    Foreign,
    /// A message that a newer version has written.
    Newer,
    /// What is not a message.
    Malformed,
    /// A message of a node of this cluster.
    Message(Incoming<'message>),
}

/// A message of a node of this cluster.
#[derive(Debug, PartialEq)]
pub(super) struct Incoming<'message> {
    pub(super) node: Cow<'message, str>,
    pub(super) epoch: Cow<'message, str>,
    /// The number of the message: 1 for the first one of the epoch.
    pub(super) n: u64,
    /// `None` if this version cannot read the event.
    pub(super) event: Option<BusEvent>,
}

#[derive(Serialize)]
struct Written<'event> {
    version: u32,
    cluster: &'event str,
    node: &'event str,
    epoch: &'event str,
    n: u64,
    event: &'event RawValue,
}

#[derive(Deserialize)]
struct Read<'message> {
    version: u32,
    #[serde(borrow)]
    cluster: Cow<'message, str>,
    #[serde(borrow)]
    node: Cow<'message, str>,
    #[serde(borrow)]
    epoch: Cow<'message, str>,
    n: u64,
    #[serde(borrow)]
    event: &'message RawValue,
}

/// The fields that every version has.
#[derive(Deserialize)]
struct Head<'message> {
    version: u32,
    #[serde(borrow)]
    cluster: Cow<'message, str>,
}

/// Encodes an event, to be put into an envelope.
pub(super) fn encode(event: &BusEvent) -> Box<RawValue> {
    // An event consists of strings and of JSON that is there already.
    serde_json::value::to_raw_value(event).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Puts an encoded event into an envelope.
pub(super) fn close(from: &Identity, n: u64, event: &RawValue) -> Vec<u8> {
    let Identity { cluster, node, epoch } = from;
    let written = Written { version: VERSION, cluster: cluster.as_str(), node, epoch, n, event };
    serde_json::to_vec(&written).unwrap_or_default()
}

/// Opens the envelope of a message that has arrived.
pub(super) fn open<'message>(message: &'message [u8], own: &ClusterName) -> Opened<'message> {
    if message.len() > MAX_BYTES {
        return Opened::Malformed;
    }
    let Ok(head) = serde_json::from_slice::<Head<'_>>(message) else { return Opened::Malformed };
    if head.cluster != own.as_str() {
        return Opened::Foreign;
    }
    if head.version > VERSION {
        return Opened::Newer;
    }
    match serde_json::from_slice::<Read<'_>>(message) {
        Ok(read) if is_well_formed(&read) => Opened::Message(Incoming {
            node: read.node,
            epoch: read.epoch,
            n: read.n,
            event: serde_json::from_str(read.event.get()).ok(),
        }),
        _ => Opened::Malformed,
    }
}

fn is_well_formed(read: &Read<'_>) -> bool {
    let is_id = |id: &str| (1..=MAX_ID_LENGTH).contains(&id.len());
    read.version == VERSION
        && read.n > 0
        && read.cluster.len() <= MAX_ID_LENGTH
        && is_id(&read.node)
        && is_id(&read.epoch)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn identity() -> Identity {
        Identity { cluster: ClusterName::default(), node: "AbCd".into(), epoch: "e".into() }
    }

    fn opened(message: &Value) -> Value {
        let message = message.to_string();
        match open(message.as_bytes(), &ClusterName::default()) {
            Opened::Foreign => json!("foreign"),
            Opened::Newer => json!("newer"),
            Opened::Malformed => json!("malformed"),
            Opened::Message(Incoming { n, event, .. }) => json!([n, event]),
        }
    }

    fn message() -> Value {
        json!({ "version": 1, "cluster": "bolide", "node": "AbCd", "epoch": "e", "n": 7, "event": "Alive" })
    }

    fn changed(field: &str, value: Value) -> Value {
        let mut changed = message();
        changed[field] = value;
        opened(&changed)
    }

    #[test]
    fn an_event_arrives_as_it_was_sent() {
        let event = BusEvent::Stream {
            stream: "s".to_owned(),
            event: "quote \" and \\ and ü".to_owned(),
            args: bolide_protocol::RawJson::parse("[1,{\"b\":2,\"a\":1}]").unwrap(),
        };
        let text = close(&identity(), 3, &encode(&event));
        let Opened::Message(incoming) = open(&text, &ClusterName::default()) else { panic!("a message") };
        assert_eq!((incoming.node.as_ref(), incoming.epoch.as_ref(), incoming.n), ("AbCd", "e", 3));
        assert_eq!(incoming.event, Some(event));
        let fields = serde_json::from_slice::<Value>(&text).unwrap();
        assert_eq!(fields["version"], 1, "{fields}");
    }

    #[test]
    fn what_a_node_cannot_read_is_skipped() {
        assert_eq!(opened(&message()), json!([7, "Alive"]));
        assert_eq!(changed("cluster", json!("other")), "foreign");
        assert_eq!(changed("version", json!(2)), "newer");
        assert_eq!(changed("event", json!({ "Unknown": { "a": 1 } })), json!([7, null]));
        assert_eq!(changed("event", json!({ "TokensEnded": { "hashed": "no list" } })), json!([7, null]));
        assert_eq!(changed("another", json!("field")), json!([7, "Alive"]));
    }

    #[test]
    fn a_newer_version_may_change_all_but_its_version_and_cluster() {
        let newer = json!({ "version": 2, "cluster": "bolide", "node": 1, "n": "7" });
        assert_eq!(opened(&newer), "newer");
        assert_eq!(opened(&json!({ "version": 2, "cluster": "other" })), "foreign");
    }

    #[test]
    fn what_is_no_message_is_malformed() {
        for (field, value) in [
            ("n", json!(0)),
            ("n", json!(-1)),
            ("n", json!(1.5)),
            ("n", json!("7")),
            ("node", json!(null)),
            ("node", json!("")),
            ("node", json!("x".repeat(65))),
            ("epoch", json!(["e"])),
            ("epoch", json!("x".repeat(65))),
            ("version", json!(0)),
            ("version", json!("1")),
            ("cluster", json!(1)),
        ] {
            assert_eq!(changed(field, value.clone()), "malformed", "{field}: {value}");
        }
        for text in [&b""[..], b"null", b"[]", b"{", b"\xff\xfe", b"{\"version\":1}", b"PING\r\n"] {
            assert_eq!(open(text, &ClusterName::default()), Opened::Malformed, "{text:?}");
        }
    }

    #[test]
    fn large_and_deep_messages_are_not_read() {
        let large = json!({ "version": 1, "cluster": "bolide", "node": "a", "epoch": "e", "n": 1, "event": "x".repeat(MAX_BYTES) });
        assert_eq!(opened(&large), "malformed");
        let deep = format!(
            "{{\"version\":1,\"cluster\":\"bolide\",\"node\":\"a\",\"epoch\":\"e\",\"n\":1,\"event\":{}{}}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        let Opened::Message(incoming) = open(deep.as_bytes(), &ClusterName::default()) else {
            return;
        };
        assert_eq!(incoming.event, None);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm() {
        let mut source = quickcheck::Gen::new(1_000);
        for _ in 0..1_000 {
            let bytes = <Vec<u8> as quickcheck::Arbitrary>::arbitrary(&mut source);
            assert_eq!(open(&bytes, &ClusterName::default()), Opened::Malformed);
        }
    }
}
