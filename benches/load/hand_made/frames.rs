//! WebSocket frames: those of clients are unmasked where they stand, those of the server are written around their text.

use std::io;

const FINAL_TEXT: u8 = 0x81;
const FINAL_CLOSE: u8 = 0x88;
const MASKED: u8 = 0x80;
/// What stands in the place of a length of two bytes.
const TWO_BYTES: u8 = 126;
const MASK_LENGTH: usize = 4;
/// The length of the longer header that the server writes.
const LONG_HEADER: usize = 4;
const SHORT_HEADER: usize = 2;

pub(super) enum Frame<'bytes> {
    Text(&'bytes str),
    Close(&'bytes [u8]),
    Other,
}

impl<'bytes> Frame<'bytes> {
    /// Returns the first frame of `bytes` and its length, or `None` if its end has not arrived.
    pub(super) fn unmask(bytes: &'bytes mut [u8]) -> io::Result<Option<(Self, usize)>> {
        let &mut [first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        let (length, start) = match (second & !MASKED, rest.first_chunk()) {
            (TWO_BYTES, Some(length)) => (usize::from(u16::from_be_bytes(*length)), LONG_HEADER),
            (TWO_BYTES, None) => return Ok(None),
            (127, _) => return Err(io::Error::other("a frame is too long")),
            (short, _) => (usize::from(short), SHORT_HEADER),
        };
        let end = start + MASK_LENGTH + length;
        let Some(masked) = bytes.get_mut(start..end) else {
            return Ok(None);
        };
        let Some((mask, payload)) = masked.split_first_chunk_mut::<MASK_LENGTH>() else {
            return Ok(None);
        };
        apply(*mask, payload);
        let frame = match first {
            FINAL_TEXT => Self::Text(std::str::from_utf8(payload).map_err(io::Error::other)?),
            FINAL_CLOSE => Self::Close(payload),
            _ => Self::Other,
        };
        Ok(Some((frame, end)))
    }
}

fn apply(mask: [u8; MASK_LENGTH], payload: &mut [u8]) {
    let word = u64::from_ne_bytes([mask, mask].concat().try_into().unwrap_or_default());
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    rest.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

/// Appends a text frame whose text `write` appends.
pub(super) fn push_text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; LONG_HEADER]);
    write(out)?;
    let length = out.len() - start - LONG_HEADER;
    out[start] = FINAL_TEXT;
    if length < usize::from(TWO_BYTES) {
        out[start + 1] = length as u8;
        out.copy_within(start + LONG_HEADER.., start + SHORT_HEADER);
        out.truncate(start + SHORT_HEADER + length);
    } else {
        let length = u16::try_from(length).map_err(io::Error::other)?;
        out[start + 1] = TWO_BYTES;
        out[start + SHORT_HEADER..start + LONG_HEADER].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Appends a close frame with the code that the client sent.
pub(super) fn push_close(out: &mut Vec<u8>, code: &[u8]) {
    out.push(FINAL_CLOSE);
    out.push(code.len() as u8);
    out.extend_from_slice(code);
}
