//! The WebSocket frames that the outbox writes itself.

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// The maximum length of the header of an unmasked frame.
const HEADER_BYTES: usize = 10;

/// Appends one text frame, final and unmasked.
pub(super) fn write_text_frame(bytes: &mut Vec<u8>, text: &str) {
    let header = FrameHeader { is_final: true, opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    bytes.reserve(text.len() + HEADER_BYTES);
    // Writing into a `Vec` never fails.
    let _written = header.format(length, bytes);
    bytes.extend_from_slice(text.as_bytes());
}
