//! [`Elements`]: where the elements of an array are in JSON text, so that each can be read without copying it.

use std::ops::Range;

use smallvec::SmallVec;

use crate::scan;

/// The places of the elements of an array in a text.
///
/// ```
/// use bolide_protocol::Elements;
///
/// let text = r#"{"params":[1, {"a": 2}]}"#;
/// let elements = Elements::of_array(text, 10..23).unwrap();
/// assert_eq!(elements.len(), 2);
/// assert_eq!(&text[elements.get(1).unwrap()], r#"{"a": 2}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elements(SmallVec<[Range<u32>; FEW]>);

/// Most arrays of parameters have this many elements at most. Their places need no allocation.
const FEW: usize = 3;

/// The maximum length of a text whose elements are found. Half as many bytes are kept for each place as for a longer one.
pub(crate) const LONGEST_TEXT: usize = u32::MAX as usize;

impl Elements {
    /// Returns the elements of the array that is at this place of the text. `None` if no array is there, or if the text has
    /// 4 GiB or more.
    #[must_use]
    pub fn of_array(text: &str, place: Range<usize>) -> Option<Self> {
        if text.len() > LONGEST_TEXT {
            return None;
        }
        let mut elements = Self::default();
        let offset = place.start;
        scan::array(text.get(place)?, |place| elements.push(offset + place.start..offset + place.end))?;
        Some(elements)
    }

    /// Returns the number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the array is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the place of the element at `index`, or `None` if there are fewer.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Range<usize>> {
        let Range { start, end } = self.0.get(index)?;
        Some(usize::try_from(*start).ok()?..usize::try_from(*end).ok()?)
    }

    /// Drops the place of the last element.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// Adds a place in a text that is not longer than [`LONGEST_TEXT`].
    pub(crate) fn push(&mut self, place: Range<usize>) {
        let short = |place| u32::try_from(place).unwrap_or(u32::MAX);
        self.0.push(short(place.start)..short(place.end));
    }
}
