//! Collects the messages of an outbox into a SockJS frame, for both transports.

use bolide_protocol::sockjs::MessagesFrame;

use crate::outbox::Outbox;

/// Takes messages from the outbox into one frame, until the frame has at least `full` bytes. Returns `None` if the
/// outbox is empty.
pub(super) fn take_frame(outbox: &Outbox, full: usize) -> Option<String> {
    let mut frame = MessagesFrame::new();
    while frame.len() < full {
        let Some(message) = outbox.take() else {
            break;
        };
        frame.push(&message);
    }
    if frame.is_empty() { None } else { Some(frame.finish()) }
}
