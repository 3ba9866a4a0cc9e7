//! [`Date`]: a point in time with millisecond precision.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::ser::{Serialize, Serializer};

use super::{form, iso};

/// A point in time in milliseconds since 1970, like JavaScript's `Date`: `{"$date":ms}`.
///
/// As in JavaScript, a date can be invalid, because a client can send an invalid one.
///
/// ```
/// use bolide_protocol::ejson::Date;
///
/// let date = Date::from_milliseconds(1_577_836_800_123);
/// assert_eq!(date.to_iso_string().as_deref(), Some("2020-01-01T00:00:00.123Z"));
/// assert_eq!(Date::parse_iso("2020-01-01T00:00:00.123Z"), date);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(Option<i64>);

/// The range of JavaScript's dates: this many milliseconds before and after 1970.
const FURTHEST: i64 = 8_640_000_000_000_000;

impl Date {
    /// The value of `new Date("nonsense")` in JavaScript. It is written as `{"$date":null}`, which reads as 1970.
    pub const INVALID: Self = Self(None);

    /// Returns the date this many milliseconds after 1970-01-01T00:00:00Z; [`Self::INVALID`] if it exceeds JavaScript's
    /// range.
    #[must_use]
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        if milliseconds < -FURTHEST || milliseconds > FURTHEST {
            return Self::INVALID;
        }
        Self(Some(milliseconds))
    }

    /// Parses a date in ECMAScript's ISO 8601 format. Returns [`Self::INVALID`] for any other text.
    #[must_use]
    pub fn parse_iso(text: &str) -> Self {
        iso::parse(text).map_or(Self::INVALID, Self::from_milliseconds)
    }

    /// Returns the milliseconds since 1970, or `None` if the date is invalid.
    #[must_use]
    pub const fn milliseconds(self) -> Option<i64> {
        self.0
    }

    /// Returns the date in UTC as ISO 8601 text, or `None` if it is invalid.
    #[must_use]
    pub fn to_iso_string(self) -> Option<String> {
        self.0.map(iso::print)
    }

    /// Returns the date as a [`SystemTime`], or `None` if it is invalid.
    #[must_use]
    pub fn to_system_time(self) -> Option<SystemTime> {
        let distance = Duration::from_millis(self.0?.unsigned_abs());
        if self.0? < 0 {
            return UNIX_EPOCH.checked_sub(distance);
        }
        UNIX_EPOCH.checked_add(distance)
    }
}

impl From<SystemTime> for Date {
    /// Truncates to milliseconds.
    fn from(time: SystemTime) -> Self {
        let milliseconds = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()),
            Err(before) => i64::try_from(before.duration().as_millis()).map(i64::wrapping_neg),
        };
        milliseconds.map_or(Self::INVALID, Self::from_milliseconds)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        form::serialize(serializer, "$date", &self.0)
    }
}
