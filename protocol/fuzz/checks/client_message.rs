//! The properties of every frame from a client. The fuzzer checks them, and a test checks them for the corpus.

use bolide_protocol::ClientMessage;
use bolide_protocol::RawJson;
use bolide_protocol::ejson::{CustomTypes, Ejson, validate};
use bolide_protocol::message::offending_message;
use bytestring::ByteString;

/// Parsing a frame does not panic, and a message is parsed from its own frame as the same message.
pub(super) fn client_message(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let types = CustomTypes::default().with("t");
    if let Some(quoted) = offending_message(text, &types) {
        assert!(RawJson::parse(quoted.get()).is_ok());
    }
    let frame = ByteString::from(text);
    let Ok(message) = ClientMessage::parse(&frame, &types) else {
        return;
    };
    let again = ClientMessage::parse(&message.to_frame().into(), &types);
    assert_eq!(again, Ok(message.clone()));
    let (ClientMessage::Method(bolide_protocol::message::MethodCall { params, .. })
    | ClientMessage::Sub(bolide_protocol::message::Subscribe { params, .. })) = message
    else {
        return;
    };
    let Some(params) = params else {
        return;
    };
    assert!(validate(params.get(), &types).is_ok());
    let _outcome = Ejson::parse(params.get(), &types);
}
