//! [`Number`]: a JavaScript number that also keeps large integers exactly.

use std::fmt::{self, Display, Formatter};
use std::hash::{Hash, Hasher};

use serde::ser::{Serialize, Serializer};

use super::form;

/// A number: a double as in JavaScript, or a 64-bit integer that keeps all its digits.
///
/// Equality compares numeric values; `NaN` equals itself. It prints as in JavaScript: a double beyond 2^53 is printed
/// with trailing zeros, and reads as a nearby integer.
///
/// ```
/// use bolide_protocol::ejson::Number;
///
/// assert_eq!(Number::from(3.0), Number::from(3));
/// assert_eq!(Number::from(1e21).to_string(), "1e+21");
/// assert_eq!(Number::from(-0.0).to_string(), "0");
/// assert_eq!(Number::from(u64::MAX).to_string(), "18446744073709551615");
/// ```
#[derive(Clone, Copy)]
pub struct Number(Repr);

/// Integers that a double represents exactly are always `Signed`.
#[derive(Clone, Copy)]
enum Repr {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

/// Up to this value, every integer is exactly representable as a double.
pub(super) const LARGEST_SAFE_INTEGER: f64 = 9_007_199_254_740_992.0;

impl Number {
    /// Returns the nearest double.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the nearest double is what is asked for")]
    pub fn as_f64(self) -> f64 {
        match self.0 {
            Repr::Signed(integer) => integer as f64,
            Repr::Unsigned(integer) => integer as f64,
            Repr::Float(float) => float,
        }
    }

    /// Returns the value, or `None` if it is not an integer in the range of `i64`.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        i64::try_from(self.as_integer()?).ok()
    }

    /// Returns the value, or `None` if it is not an integer in the range of `u64`.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        u64::try_from(self.as_integer()?).ok()
    }

    /// Returns whether this is neither `NaN` nor infinite.
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.as_f64().is_finite()
    }

    /// Returns the exact value, if it is an integer below about 2^65.
    fn as_integer(self) -> Option<i128> {
        match self.0 {
            Repr::Signed(integer) => Some(integer.into()),
            Repr::Unsigned(integer) => Some(integer.into()),
            Repr::Float(float) => exact_integer(float),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the bound is checked")]
fn exact_integer(float: f64) -> Option<i128> {
    const BOUND: f64 = 36_893_488_147_419_103_232.0;
    (float.fract() == 0.0 && float.abs() <= BOUND).then_some(float as i128)
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self.as_integer(), other.as_integer()) {
            (Some(one), Some(two)) => one == two,
            (None, None) => same_float(self.as_f64(), other.as_f64()),
            _ => false,
        }
    }
}

#[expect(clippy::float_cmp, reason = "equality is exact on purpose")]
fn same_float(one: f64, two: f64) -> bool {
    one == two || (one.is_nan() && two.is_nan())
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let float = self.as_f64();
        let all_of_its_kind = match float {
            0.0 => 0.0,
            _ if float.is_nan() => f64::NAN,
            _ => float,
        };
        all_of_its_kind.to_bits().hash(state);
    }
}

impl From<f64> for Number {
    #[expect(clippy::cast_possible_truncation, reason = "the bound is checked")]
    fn from(float: f64) -> Self {
        if float.fract() == 0.0 && float.abs() <= LARGEST_SAFE_INTEGER {
            return Self(Repr::Signed(float as i64));
        }
        Self(Repr::Float(float))
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self(Repr::Signed(integer))
    }
}

impl From<u64> for Number {
    fn from(integer: u64) -> Self {
        Self(i64::try_from(integer).map_or(Repr::Unsigned(integer), Repr::Signed))
    }
}

impl From<i32> for Number {
    fn from(integer: i32) -> Self {
        Self::from(i64::from(integer))
    }
}

impl From<u32> for Number {
    fn from(integer: u32) -> Self {
        Self::from(i64::from(integer))
    }
}

impl Display for Number {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Signed(integer) => Display::fmt(&integer, formatter),
            Repr::Unsigned(integer) => Display::fmt(&integer, formatter),
            Repr::Float(float) => formatter.write_str(ryu_js::Buffer::new().format(float)),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, formatter)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Repr::Signed(integer) => serializer.serialize_i64(integer),
            Repr::Unsigned(integer) => serializer.serialize_u64(integer),
            Repr::Float(float) if float.is_finite() => serializer.serialize_f64(float),
            Repr::Float(float) => form::serialize(serializer, "$InfNaN", &sign_of(float)),
        }
    }
}

/// Returns the sign by which EJSON names `NaN` and the infinities.
pub(super) fn sign_of(float: f64) -> i8 {
    match float {
        f64::INFINITY => 1,
        f64::NEG_INFINITY => -1,
        _ => 0,
    }
}
