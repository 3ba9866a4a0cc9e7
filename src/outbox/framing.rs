//! The WebSocket frames that the outbox writes itself.

/// The first byte of a text frame that is final.
const FINAL_TEXT: u8 = 0x81;

/// What stands in the place of a length that has two or eight bytes of its own (RFC 6455 § 5.2).
pub(crate) const TWO_BYTES: u8 = 126;
pub(crate) const EIGHT_BYTES: u8 = 127;

/// The maximum length of the header of an unmasked frame.
const HEADER_BYTES: usize = 10;

/// Appends one text frame, final and unmasked.
pub(super) fn write_text_frame(bytes: &mut Vec<u8>, text: &str) {
    bytes.reserve(HEADER_BYTES + text.len());
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(length @ 0..TWO_BYTES), _) => bytes.extend_from_slice(&[FINAL_TEXT, length]),
        (_, Ok(length)) => {
            bytes.extend_from_slice(&[FINAL_TEXT, TWO_BYTES]);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            bytes.extend_from_slice(&[FINAL_TEXT, EIGHT_BYTES]);
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::*;

    #[test]
    fn frames_are_those_that_tungstenite_writes() {
        for length in [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 200_000] {
            let text = "x".repeat(length);
            let mut expected = Vec::new();
            let frame = Frame::message(text.clone(), OpCode::Data(Data::Text), true);
            frame.format(&mut expected).expect("a `Vec` takes everything");
            let mut written = Vec::new();
            write_text_frame(&mut written, &text);
            assert!(written == expected, "{length}");
        }
    }
}
