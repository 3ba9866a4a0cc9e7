use crate::flood::unread_sockjs::{CALLS, SUBSCRIPTIONS, frames, questions};

#[test]
fn messages_are_texts_in_an_array() {
    assert_eq!(frames(["{\"a\":1}".to_owned()]), r#"["{\"a\":1}"]"#);
    assert_eq!(questions().count(), 1 + SUBSCRIPTIONS + CALLS);
}
