//! Dates as text: ECMAScript's ISO 8601 format, in UTC, and the variants of it that JavaScript's `Date` reads too.

use std::str::from_utf8;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Prints `2020-01-01T00:00:00.000Z`; years with more than four digits as `+275760-…` and `-000001-…`.
pub(super) fn print(milliseconds: i64) -> String {
    let (year, month, day) = civil_from_days(milliseconds.div_euclid(DAY));
    let time = milliseconds.rem_euclid(DAY);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    format!(
        "{year}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        time / HOUR,
        time / MINUTE % 60,
        time / SECOND % 60,
        time % SECOND
    )
}

/// Returns the milliseconds since 1970, or `None` if the text is not a date. Without an offset, the time is UTC.
///
/// Clients in other languages write offsets without a colon, a space instead of `T`, or lower case.
pub(super) fn parse(text: &str) -> Option<i64> {
    let mut reader = Reader(text.as_bytes());
    let days = reader.date()?;
    if reader.0.is_empty() {
        return Some(days * DAY);
    }
    let is_spaced = reader.take(b' ');
    if !is_spaced {
        reader.expect_any(b"Tt")?;
    }
    let time = reader.time()?;
    if is_spaced {
        reader.take(b' ');
    }
    let offset = reader.offset()?;
    reader.0.is_empty().then_some(days * DAY + time - offset)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// Parses `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. Returns days since 1970.
    fn date(&mut self) -> Option<i64> {
        let year = self.year()?;
        let month = if self.take(b'-') { self.number(2)? } else { 1 };
        let day = if self.take(b'-') { self.number(2)? } else { 1 };
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        Some(days_from_civil(year, month, day))
    }

    fn year(&mut self) -> Option<i64> {
        if self.take(b'+') {
            return self.number(6);
        }
        if self.take(b'-') {
            return self.number(6).filter(|year| *year != 0).map(|year| -year);
        }
        self.number(4)
    }

    /// Parses `HH:mm`, `HH:mm:ss` or `HH:mm:ss.s…`. Returns milliseconds.
    fn time(&mut self) -> Option<i64> {
        let (hour, minute) = self.hour_and_minute()?;
        let second = if self.take(b':') { self.number(2)? } else { 0 };
        let millisecond = if self.take(b'.') { self.fraction()? } else { 0 };
        let time = hour * HOUR + minute * MINUTE + second * SECOND + millisecond;
        (minute < 60 && second < 60 && time <= DAY).then_some(time)
    }

    /// Parses an empty text, `Z`, `+HH:mm`, `+HHmm`, or the same with a minus. Returns milliseconds.
    fn offset(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.expect_any(b"Zz").is_some() {
            return Some(0);
        }
        let sign = if self.take(b'-') { -1 } else { self.expect(b'+').map(|()| 1)? };
        let hour = self.number(2)?;
        self.take(b':');
        let minute = self.number(2)?;
        (hour < 24 && minute < 60).then_some(sign * (hour * HOUR + minute * MINUTE))
    }

    fn hour_and_minute(&mut self) -> Option<(i64, i64)> {
        let hour = self.number(2)?;
        self.expect(b':')?;
        Some((hour, self.number(2)?))
    }

    /// Parses the digits after the point. Digits beyond milliseconds are truncated.
    fn fraction(&mut self) -> Option<i64> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let kept = count.min(3);
        let value = self.number(kept)?;
        self.0 = &self.0[count - kept..];
        Some(value * [0, 100, 10, 1][kept])
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let (text, rest) = self.0.split_at_checked(digits)?;
        if !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        from_utf8(text).ok()?.parse().ok()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    fn expect_any(&mut self, bytes: &[u8]) -> Option<()> {
        bytes.iter().any(|byte| self.take(*byte)).then_some(())
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }
}

/// Howard Hinnant's `days_from_civil`: years begin in March, so that the leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`]: year, month and day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
