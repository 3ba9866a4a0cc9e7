//! What both transports do with a session's outbox.

use bolide_protocol::sockjs::MessagesFrame;

use crate::outbox::Outbox;

/// Takes messages out of the outbox and into one frame, which is full with the message that brings it to `full` bytes.
pub(super) fn take_frame(outbox: &Outbox, full: usize) -> Option<String> {
    let mut frame = MessagesFrame::new();
    while frame.len() < full {
        let Some(item) = outbox.take() else {
            break;
        };
        if let Some(text) = item.into_text() {
            frame.push(&text);
        }
    }
    if frame.is_empty() { None } else { Some(frame.finish()) }
}
