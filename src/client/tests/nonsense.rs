//! The client's rules hold whatever a server sends, in any order, and whenever connections are lost.

use std::task::Waker;

use bolide_protocol::RawJson;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::client::options::{ClientLimits, Resend};
use crate::client::state::{Outcome, Purpose, Request, State, SubscriptionStatus};

/// An event for a client.
#[derive(Clone, Debug)]
enum Event {
    Call(Resend),
    ForgetCall(u64),
    Subscribe,
    Unsubscribe(u64),
    Sends(usize),
    Hears(String),
    Loses,
    Connects(u8),
}

/// Ids that the client may have assigned, and others.
fn id() -> impl Strategy<Value = Value> {
    prop_oneof![8 => (0..12_u64).prop_map(|id| id.to_string().into()), 1 => Just(json!(null)), 1 => Just(json!(3))]
}

fn message() -> impl Strategy<Value = String> {
    let anything = prop_oneof![
        Just(json!(null)),
        Just(json!(1)),
        Just(json!({})),
        Just(json!({"$date": "never"})),
        Just(json!({"error": "totp-required", "details": 7})),
        Just(json!({"id": "ada", "token": "a token"})),
        Just(json!({"error": 500, "reason": "r"})),
    ];
    let kind = prop::sample::select(vec![
        "result",
        "updated",
        "ready",
        "nosub",
        "added",
        "changed",
        "removed",
        "ping",
        "pong",
        "error",
        "connected",
        "failed",
        "unheard of",
    ]);
    let well_meant =
        (kind, id(), anything.clone(), anything, any::<bool>()).prop_map(|(kind, id, one, other, lists)| {
            let ids = if lists { json!([id]) } else { id.clone() };
            let message = json!({
                "msg": kind, "id": id, "result": one, "error": other, "fields": one, "collection": "c", "subs": ids,
                "methods": ids, "cleared": if lists { json!(["a"]) } else { json!([]) }, "reason": "r",
                "offendingMessage": {"id": id}, "session": "s",
            });
            let Value::Object(mut members) = message else { return String::new() };
            // Most results are not errors.
            if lists {
                members.remove("error");
            }
            Value::Object(members).to_string()
        });
    prop_oneof![9 => well_meant, 1 => ".{0,40}"]
}

fn event() -> impl Strategy<Value = Event> {
    let resend = prop::sample::select(vec![Resend::Never, Resend::SameSession, Resend::Always]);
    prop_oneof![
        3 => resend.prop_map(Event::Call),
        1 => (0..12_u64).prop_map(Event::ForgetCall),
        2 => Just(Event::Subscribe),
        1 => (0..12_u64).prop_map(Event::Unsubscribe),
        3 => (0..6_usize).prop_map(Event::Sends),
        8 => message().prop_map(Event::Hears),
        1 => Just(Event::Loses),
        2 => (0..2_u8).prop_map(Event::Connects),
    ]
}

fn call(state: &mut State, resend: Resend) -> Option<oneshot::Receiver<Outcome>> {
    let params = RawJson::parse("[]").expect("JSON");
    let request = Request { method: "m", params, resend, carries_code: false, purpose: Purpose::LogIn };
    state.call(&request).ok().map(|(_, answer)| answer)
}

proptest! {
    #[test]
    fn no_call_waits_for_ever_and_memory_stays_bounded(events in prop::collection::vec(event(), 0..120)) {
        let limits = ClientLimits { subscriptions: 8, documents: 5, ..ClientLimits::default() };
        let mut state = State::new(&limits);
        state.set_task(Waker::noop());
        let (mut answers, mut subscriptions) = (Vec::new(), Vec::new());
        for event in events {
            match event {
                Event::Call(resend) => answers.extend(call(&mut state, resend)),
                Event::ForgetCall(id) => state.forget_call(id),
                Event::Subscribe => {
                    let params = RawJson::parse("[]").expect("JSON");
                    subscriptions.extend(state.subscribe("p", params).ok().map(|(_, status)| status));
                }
                Event::Unsubscribe(id) => state.unsubscribe(id),
                Event::Sends(frames) => for _ in 0..frames {
                    drop(state.next_frame());
                },
                // After a disconnection, this server sends nothing more.
                Event::Hears(frame) => if state.receive(&frame).is_err() {
                    state.connection_lost();
                },
                Event::Loses => state.connection_lost(),
                Event::Connects(session) => drop(state.connected(session.to_string())),
            }
            prop_assert!(state.documents.all("c").len() <= limits.documents + 1);
        }
        state.end(None);
        for mut answer in answers {
            // The other end of a forgotten call is dropped.
            prop_assert!(!matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        }
        for status in subscriptions {
            prop_assert!(matches!(*status.borrow(), SubscriptionStatus::Stopped(_)));
        }
    }

    #[test]
    fn a_flood_of_pings_gets_a_bounded_number_of_answers(pings in 17..200_usize) {
        let mut state = State::new(&ClientLimits::default());
        let _resumed = state.connected("s".to_owned());
        for _ in 0..pings {
            state.receive(r#"{"msg":"ping","id":"x"}"#).expect("a valid message");
        }
        let pongs = std::iter::from_fn(|| state.next_frame()).count();
        prop_assert_eq!(pongs, 16);
    }
}
