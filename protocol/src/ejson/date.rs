//! [`Date`]: a point in time, to the millisecond.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::{form, iso};

/// A point in time in milliseconds since 1970, as JavaScript's `Date` has it: `{"$date":ms}`.
///
/// Like there, a date can be invalid, because a client can send one.
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

/// JavaScript's dates reach this far from 1970, both ways.
const FURTHEST: i64 = 8_640_000_000_000_000;

impl Date {
    /// What `new Date("nonsense")` is in JavaScript. It is written as `{"$date":null}`, which reads as 1970.
    pub const INVALID: Self = Self(None);

    /// The date that many milliseconds after 1970-01-01T00:00:00Z; [`Self::INVALID`] if JavaScript cannot hold it.
    #[must_use]
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        if milliseconds < -FURTHEST || milliseconds > FURTHEST {
            return Self::INVALID;
        }
        Self(Some(milliseconds))
    }

    /// Reads a date of ISO 8601 as ECMAScript defines it; anything else is [`Self::INVALID`].
    #[must_use]
    pub fn parse_iso(text: &str) -> Self {
        iso::parse(text).map_or(Self::INVALID, Self::from_milliseconds)
    }

    /// The milliseconds since 1970, unless the date is invalid.
    #[must_use]
    pub const fn milliseconds(self) -> Option<i64> {
        self.0
    }

    /// The date in UTC as ISO 8601 text, unless it is invalid.
    #[must_use]
    pub fn to_iso_string(self) -> Option<String> {
        self.0.map(iso::print)
    }

    /// The same moment for Rust's clock, unless the date is invalid.
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
    /// Cuts off what is finer than a millisecond.
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

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        form::deserialize(deserializer, "a date", |value| value.as_date())
    }
}
