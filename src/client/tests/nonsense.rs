//! Whatever a server says, in whatever order, and whenever connections come and go: the client's rules hold.

use std::task::Waker;

use bolide_protocol::RawJson;
use quickcheck::{Arbitrary, Gen, QuickCheck};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::client::options::{ClientLimits, Resend};
use crate::client::state::{Outcome, Purpose, Request, State, SubscriptionStatus};

/// Something that happens to a client.
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

impl Arbitrary for Event {
    fn arbitrary(random: &mut Gen) -> Self {
        match pick(random, b"CCCFSSUTTTHHHHHHHHLNN") {
            b'C' => Self::Call(pick(random, &[Resend::Never, Resend::SameSession, Resend::Always])),
            b'F' => Self::ForgetCall(below(random, 12)),
            b'S' => Self::Subscribe,
            b'U' => Self::Unsubscribe(below(random, 12)),
            b'T' => Self::Sends(pick(random, &[0, 1, 2, 3, 4, 5])),
            b'H' if below(random, 10) == 0 => Self::Hears(String::arbitrary(random)),
            b'H' => Self::Hears(message(random)),
            b'L' => Self::Loses,
            _ => Self::Connects(pick(random, &[0, 1])),
        }
    }
}

fn pick<T: Copy>(random: &mut Gen, choices: &[T]) -> T {
    *random.choose(choices).expect("a choice")
}

fn below(random: &mut Gen, bound: u64) -> u64 {
    u64::arbitrary(random) % bound
}

/// An id that the client may have given, or another value.
fn id(random: &mut Gen) -> Value {
    match below(random, 10) {
        0 => json!(null),
        1 => json!(3),
        _ => below(random, 12).to_string().into(),
    }
}

fn anything(random: &mut Gen) -> Value {
    let values = [
        json!(null),
        json!(1),
        json!({}),
        json!({"$date": "never"}),
        json!({"error": "totp-required", "details": 7}),
        json!({"id": "ada", "token": "a token"}),
        json!({"error": 500, "reason": "r"}),
    ];
    random.choose(&values).expect("a choice").clone()
}

const KINDS: [&str; 13] = [
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
];

/// A message that looks like one of a server.
fn message(random: &mut Gen) -> String {
    let (kind, id, one, other) = (pick(random, &KINDS), id(random), anything(random), anything(random));
    let lists = bool::arbitrary(random);
    let ids = if lists { json!([id]) } else { id.clone() };
    let mut message = json!({
        "msg": kind, "id": id, "result": one, "error": other, "fields": one, "collection": "c", "subs": ids,
        "methods": ids, "cleared": if lists { json!(["a"]) } else { json!([]) }, "reason": "r",
        "offendingMessage": {"id": id}, "session": "s",
    });
    // An answer is mostly good.
    if lists && let Value::Object(members) = &mut message {
        members.remove("error");
    }
    message.to_string()
}

fn call(state: &mut State, resend: Resend) -> Option<oneshot::Receiver<Outcome>> {
    let params = RawJson::parse("[]").expect("JSON");
    let request = Request { method: "m", params, resend, carries_code: false, purpose: Purpose::LogIn };
    state.call(&request).ok().map(|(_, answer)| answer)
}

#[test]
fn no_call_is_left_waiting_and_nothing_grows_without_bound() {
    fn play(events: Vec<Event>) {
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
                Event::Sends(frames) => {
                    for _ in 0..frames {
                        drop(state.next_frame());
                    }
                }
                // A server that is given up, or left for another connection, says no more.
                Event::Hears(frame) => {
                    if state.receive(&frame).is_err() {
                        state.connection_lost();
                    }
                }
                Event::Loses => state.connection_lost(),
                Event::Connects(session) => drop(state.connected(session.to_string())),
            }
            assert!(state.documents.all("c").len() <= limits.documents + 1);
        }
        state.end(None);
        for mut answer in answers {
            // Nobody keeps the other end of a call that was forgotten.
            assert!(!matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        }
        for status in subscriptions {
            assert!(matches!(*status.borrow(), SubscriptionStatus::Stopped(_)));
        }
    }
    QuickCheck::new().rng(Gen::new(120)).tests(256).quickcheck(play as fn(Vec<Event>));
}

#[test]
fn a_flood_of_pings_is_not_answered_without_bound() {
    for pings in 17..200 {
        let mut state = State::new(&ClientLimits::default());
        let _resumed = state.connected("s".to_owned());
        for _ in 0..pings {
            state.receive(r#"{"msg":"ping","id":"x"}"#).expect("nothing wrong");
        }
        let pongs = std::iter::from_fn(|| state.next_frame()).count();
        assert_eq!(pongs, 16, "of {pings} pings");
    }
}
