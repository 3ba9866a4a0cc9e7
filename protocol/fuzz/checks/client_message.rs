//! The properties of every frame from a client. The fuzzer checks them, and a test checks them for the corpus.

use bolide_protocol::ejson::{CustomTypes, Ejson, validate};
use bolide_protocol::message::{MethodCall, ParamsInFrame, ReadMessage, Subscribe, offending_message};
use bolide_protocol::{ClientMessage, Elements, RawJson};
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
    check_elements(&frame, &message, &types);
    let (ClientMessage::Method(MethodCall { params, .. }) | ClientMessage::Sub(Subscribe { params, .. })) = message
    else {
        return;
    };
    let Some(params) = params else {
        return;
    };
    assert!(validate(params.get(), &types).is_ok());
    let _outcome = Ejson::parse(params.get(), &types);
}

/// The parameters of a call that is still in its frame are those of the copied call.
fn check_elements(frame: &ByteString, message: &ClientMessage, types: &CustomTypes) {
    let Ok(ReadMessage::Method(call)) = ClientMessage::read(frame, types) else {
        return;
    };
    let ClientMessage::Method(MethodCall { params, .. }) = message else { panic!("{message:?} is not a call") };
    let copied = params.as_ref().map(|array| array.elements().expect("an array"));
    let places = call.params.map(ParamsInFrame::into_elements);
    assert_eq!(places.as_ref().map(Elements::len), copied.as_ref().map(Vec::len));
    for (index, element) in copied.into_iter().flatten().enumerate() {
        let place = places.as_ref().and_then(|places| places.get(index)).expect("as many places");
        assert_eq!(&frame[place], element.get());
    }
}
