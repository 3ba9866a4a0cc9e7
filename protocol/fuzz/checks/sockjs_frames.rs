//! The properties of every SockJS frame, from servers and clients. The fuzzer checks them, and a test checks them for
//! the corpus.

use bolide_protocol::sockjs::{Frame, Payload, Sent, close};

/// Parsing a text does not panic, and every frame that is written is parsed as the same frame.
pub(super) fn sockjs_frames(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    check_client(text);
    check_server(text);
    let messages: Vec<&str> = text.split('\n').collect();
    let owned: Vec<String> = messages.iter().map(|message| (*message).to_owned()).collect();
    let frame = Frame::Messages(owned);
    assert_eq!(Frame::parse(&frame.to_text()), Ok(frame));
    let sent: Vec<Sent> = messages.iter().map(|message| Sent::Text((*message).into())).collect();
    let payload = Payload::parse(&Payload::write(messages).into()).unwrap();
    assert!(payload.is_list());
    assert_eq!(payload.collect::<Vec<_>>(), sent);
    let closed = Frame::Close { code: 3000, reason: text.to_owned() };
    assert_eq!(Frame::parse(&close(3000, text)), Ok(closed));
}

/// A payload has as many elements as its JSON array.
fn check_client(text: &str) {
    let Ok(payload) = Payload::parse(&text.into()) else {
        assert!(serde_json::from_str::<&serde_json::value::RawValue>(text).is_err());
        return;
    };
    let is_list = payload.is_list();
    let sent: Vec<Sent> = payload.collect();
    let elements: Option<Vec<&serde_json::value::RawValue>> = serde_json::from_str(text).ok();
    assert_eq!(is_list, elements.is_some());
    assert_eq!(sent.len(), elements.map_or(1, |elements| elements.len()));
}

fn check_server(text: &str) {
    if let Ok(frame) = Frame::parse(text) {
        assert_eq!(Frame::parse(&frame.to_text()), Ok(frame));
    }
}
