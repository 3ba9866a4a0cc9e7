//! [`TraceParent`]: the header `traceparent` of W3C Trace Context, by which a client says which trace a request is part of.

use std::fmt;

use http::HeaderName;

/// The header.
static HEADER: HeaderName = HeaderName::from_static("traceparent");

/// The length of the header in its first version, and of the beginning of later ones.
const LENGTH: usize = 55;

/// A trace, and the span in it that has made a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent {
    trace: u128,
    span: u64,
    flags: u8,
}

impl TraceParent {
    /// Returns the parent that the headers name. `None` if the header is missing, repeated or malformed.
    pub(crate) fn of(headers: &http::HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(&HEADER).iter();
        let value = values.next()?.to_str().ok()?;
        if values.next().is_some() { None } else { Self::parse(value) }
    }

    /// Reads `00-<trace>-<span>-<flags>` in lowercase hexadecimal digits. A later version may go on after a dash.
    fn parse(value: &str) -> Option<Self> {
        let (start, rest) = value.split_at_checked(LENGTH)?;
        let mut parts = start.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let has_lengths = [version, trace, span, flags].map(str::len) == [2, 32, 16, 2];
        if !has_lengths || parts.next().is_some() || version == "ff" {
            return None;
        }
        if !rest.is_empty() && (version == "00" || !rest.starts_with('-')) {
            return None;
        }
        number(version)?;
        let parent = Self {
            trace: number(trace)?,
            span: u64::try_from(number(span)?).ok()?,
            flags: u8::try_from(number(flags)?).ok()?,
        };
        (parent.trace != 0 && parent.span != 0).then_some(parent)
    }

    #[cfg(feature = "otlp")]
    pub(super) const fn trace(self) -> u128 {
        self.trace
    }

    #[cfg(feature = "otlp")]
    pub(super) const fn span(self) -> u64 {
        self.span
    }

    #[cfg(feature = "otlp")]
    pub(super) const fn flags(self) -> u8 {
        self.flags
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

/// Reads lowercase hexadecimal digits.
fn number(digits: &str) -> Option<u128> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digits.bytes().all(is_digit) { u128::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_parent_is_read_and_written_as_the_recommendation_says() {
        assert_eq!(TraceParent::parse(EXAMPLE).unwrap().to_string(), EXAMPLE);
        assert!(TraceParent::parse(&EXAMPLE.replacen("00", "cc", 1)).is_some());
        assert!(TraceParent::parse(&format!("{}-more", EXAMPLE.replacen("00", "cc", 1))).is_some());
    }

    #[test]
    fn a_malformed_parent_is_ignored() {
        for wrong in [
            String::new(),
            EXAMPLE.to_uppercase(),
            EXAMPLE.replacen("00", "ff", 1),
            EXAMPLE.replacen("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32), 1),
            EXAMPLE.replacen("00f067aa0ba902b7", &"0".repeat(16), 1),
            EXAMPLE.replacen('-', "_", 1),
            EXAMPLE.replacen("4bf9", "4b-9", 1),
            EXAMPLE.replacen("4bf9", "+bf9", 1),
            format!("{EXAMPLE}-more"),
            format!("{EXAMPLE}é"),
            EXAMPLE[..54].to_owned(),
        ] {
            assert_eq!(TraceParent::parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_repeated_header_is_ignored() {
        let mut headers = http::HeaderMap::new();
        headers.append(&HEADER, EXAMPLE.parse().unwrap());
        assert!(TraceParent::of(&headers).is_some());
        headers.append(&HEADER, EXAMPLE.parse().unwrap());
        assert_eq!(TraceParent::of(&headers), None);
    }
}
