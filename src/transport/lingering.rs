//! [`Lingering`]: what a client still sends after a protocol error. It is discarded, until the client answers the closing
//! frame.
//!
//! The error may have cost the boundaries of the frames, so the answer is recognized by the end of the input: a client sends
//! nothing after its closing frame.

use crate::session::Goodbye;

/// The maximum number of bytes that are discarded before a client that goes on sending loses its connection.
const LONGEST: usize = 64 << 20;

/// The first byte of a closing frame.
const CLOSE: u8 = 0x88;

/// The bit of the second byte that marks a masked frame. The other bits are the length.
const MASKED: u8 = 0x80;

/// The length of the header of a closing frame, with its mask.
const HEADER: usize = 6;

/// The length of a close code.
const CODE: usize = 2;

/// The maximum length of the payload of a control frame.
const LONGEST_PAYLOAD: usize = 125;

/// The code of clients that do not repeat the server's.
const NORMAL: u16 = 1000;

/// The discarded input of a client.
pub(super) struct Lingering {
    goodbye: Goodbye,
    /// The bytes that were read of the last message, some of which may still be held.
    held: usize,
    discarded: usize,
    /// The end of the input, long enough for a closing frame.
    tail: Vec<u8>,
}

impl Lingering {
    pub(super) const fn until_answer_to(goodbye: Goodbye, held: usize) -> Self {
        Self { goodbye, held, discarded: 0, tail: Vec::new() }
    }

    /// Returns the number of bytes that may be held. What is discarded does not count.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Discards input. Returns `false` if this was too much.
    pub(super) fn discard(&mut self, input: &[u8]) -> bool {
        self.discarded = self.discarded.saturating_add(input.len());
        self.tail.extend_from_slice(input);
        let surplus = self.tail.len().saturating_sub(HEADER + LONGEST_PAYLOAD);
        self.tail.drain(..surplus);
        self.discarded <= LONGEST
    }

    /// Returns whether the input ends with a closing frame that has the code of the server's, or 1000. A frame without a
    /// code does not count: other data could end like it by chance.
    pub(super) fn is_answered(&self) -> bool {
        let lengths = CODE..=LONGEST_PAYLOAD;
        lengths.filter_map(|length| self.tail.len().checked_sub(HEADER + length)).any(|start| {
            close_code(&self.tail[start..]).is_some_and(|code| code == self.goodbye.code || code == NORMAL)
        })
    }
}

/// Returns the code of a closing frame that consists of exactly these bytes.
fn close_code(frame: &[u8]) -> Option<u16> {
    let [CLOSE, length, mask @ ..] = frame else { return None };
    let (mask, payload) = mask.split_first_chunk::<4>()?;
    let length = usize::from(length.checked_sub(MASKED)?);
    let [high, low, ..] = payload else { return None };
    (length == payload.len()).then(|| u16::from_be_bytes([high ^ mask[0], low ^ mask[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_answered_after(inputs: &[&[u8]]) -> bool {
        let mut lingering = Lingering::until_answer_to(Goodbye::new(1002, "Not the WebSocket protocol"), 0);
        assert!(inputs.iter().all(|input| lingering.discard(input)));
        lingering.is_answered()
    }

    /// A closing frame with the mask 01 02 03 04.
    fn closing(code: u16, reason: &[u8]) -> Vec<u8> {
        let payload = [&code.to_be_bytes(), reason].concat();
        let masked = payload.iter().zip([1, 2, 3, 4].into_iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let length = u8::try_from(payload.len()).unwrap();
        [CLOSE, MASKED | length, 1, 2, 3, 4].into_iter().chain(masked).collect()
    }

    #[test]
    fn a_closing_frame_at_the_end_is_the_answer() {
        assert!(!is_answered_after(&[]));
        assert!(is_answered_after(&[&closing(1002, b"")]));
        assert!(is_answered_after(&[&closing(1000, b"bye")]));
        assert!(is_answered_after(&[&[b'x'; 5_000], &closing(1002, &[b'x'; 123])]));
    }

    #[test]
    fn the_answer_may_arrive_in_parts() {
        let answer = closing(1002, b"bye");
        for split in 0..answer.len() {
            assert!(!is_answered_after(&[&answer[..split]]));
            assert!(is_answered_after(&[b"rest", &answer[..split], &answer[split..]]));
        }
    }

    #[test]
    fn other_data_is_not_the_answer() {
        assert!(!is_answered_after(&[&closing(1002, b""), b"x"]));
        assert!(!is_answered_after(&[&closing(1001, b"")]));
        assert!(!is_answered_after(&[&[CLOSE, MASKED, 0, 0, 0, 0]]));
        assert!(!is_answered_after(&[&[CLOSE, 2, 1, 2, 3, 4, 3, 0xEA]]));
        assert!(!is_answered_after(&[&[CLOSE; 1_000]]));
    }

    #[test]
    fn what_is_discarded_is_bounded_and_not_kept() {
        let mut lingering = Lingering::until_answer_to(Goodbye::normal(), 0);
        let input = vec![0; 1 << 20];
        assert!((0..64).all(|_| lingering.discard(&input)));
        assert!(!lingering.discard(&[0]));
        assert!(lingering.tail.len() <= HEADER + LONGEST_PAYLOAD);
    }
}
