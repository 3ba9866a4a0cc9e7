//! [`Reader`]: reads CBOR as authenticators write it: items of definite length, with few levels.

use super::Mistake;

/// The maximum number of levels. CTAP2 allows four, to which the attestation object adds its own.
const DEEPEST: usize = 8;

/// A part of an encoded item that is not read yet.
pub(super) struct Reader<'bytes> {
    rest: &'bytes [u8],
    /// What is wrong if it is malformed.
    mistake: Mistake,
}

/// The key of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'bytes> {
    Number(i64),
    Text(&'bytes str),
}

/// The head of an item: its type, and its value or length.
struct Head {
    major: u8,
    argument: u64,
}

impl<'bytes> Reader<'bytes> {
    pub(super) const fn new(bytes: &'bytes [u8], mistake: Mistake) -> Self {
        Self { rest: bytes, mistake }
    }

    pub(super) const fn rest(&self) -> &'bytes [u8] {
        self.rest
    }

    /// Reads a map, whose entries follow. Returns their number.
    pub(super) fn map(&mut self) -> Result<u64, Mistake> {
        self.head_of(5)
    }

    pub(super) fn key(&mut self) -> Result<Key<'bytes>, Mistake> {
        let head = self.head()?;
        match head.major {
            0 | 1 => self.number_of(&head).map(Key::Number),
            3 => {
                let text = self.take(head.argument)?;
                std::str::from_utf8(text).map(Key::Text).map_err(|_| self.mistake)
            }
            _ => Err(self.mistake),
        }
    }

    pub(super) fn number(&mut self) -> Result<i64, Mistake> {
        let head = self.head()?;
        self.number_of(&head)
    }

    pub(super) fn bytes(&mut self) -> Result<&'bytes [u8], Mistake> {
        let length = self.head_of(2)?;
        self.take(length)
    }

    /// Skips an item with all that is in it.
    pub(super) fn skip(&mut self) -> Result<(), Mistake> {
        self.skip_within(DEEPEST)
    }

    fn skip_within(&mut self, levels: usize) -> Result<(), Mistake> {
        let levels = levels.checked_sub(1).ok_or(self.mistake)?;
        let head = self.head()?;
        let items = match head.major {
            2 | 3 => return self.take(head.argument).map(drop),
            4 => head.argument,
            5 => head.argument.checked_mul(2).ok_or(self.mistake)?,
            6 => 1,
            _ => 0,
        };
        // Each takes at least a byte, so a number that is too large ends soon.
        for _ in 0..items {
            self.skip_within(levels)?;
        }
        Ok(())
    }

    fn number_of(&self, head: &Head) -> Result<i64, Mistake> {
        let magnitude = i64::try_from(head.argument).map_err(|_| self.mistake)?;
        match head.major {
            0 => Ok(magnitude),
            1 => Ok(-1 - magnitude),
            _ => Err(self.mistake),
        }
    }

    fn head_of(&mut self, major: u8) -> Result<u64, Mistake> {
        let head = self.head()?;
        if head.major == major { Ok(head.argument) } else { Err(self.mistake) }
    }

    fn head(&mut self) -> Result<Head, Mistake> {
        let [first] = self.take_array()?;
        let argument = match first & 0x1f {
            small @ 0..24 => u64::from(small),
            24 => self.take_array::<1>()?[0].into(),
            25 => u16::from_be_bytes(self.take_array()?).into(),
            26 => u32::from_be_bytes(self.take_array()?).into(),
            27 => u64::from_be_bytes(self.take_array()?),
            // Of indefinite length, or not defined.
            _ => return Err(self.mistake),
        };
        Ok(Head { major: first >> 5, argument })
    }

    fn take_array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Mistake> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(self.mistake)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn take(&mut self, length: u64) -> Result<&'bytes [u8], Mistake> {
        let length = usize::try_from(length).map_err(|_| self.mistake)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(self.mistake)?;
        self.rest = rest;
        Ok(taken)
    }
}
