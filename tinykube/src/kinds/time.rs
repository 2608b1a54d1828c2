//! Times as the real server reads and writes them, which is how Go does.
//!
//! It takes every second of the years 0 to 9999, and an offset may carry that into the year -1 or 10000: more than most
//! clients can hold, and than the dates of this program can.

/// What Go calls the form of a time.
pub(crate) const SECONDS: &str = "2006-01-02T15:04:05Z07:00";
/// The same with microseconds, as Leases and Events have them.
pub(crate) const MICROSECONDS: &str = "2006-01-02T15:04:05.000000Z07:00";

const DAY: i64 = 86_400;

/// A moment, of whatever year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GoTime {
    /// Seconds since 1970.
    seconds: i64,
    nanoseconds: u32,
}

impl GoTime {
    /// Reads a time by RFC 3339.
    pub(crate) fn read(text: &str) -> Option<GoTime> {
        let (date, rest) = text.split_at_checked(10)?;
        let year = number(date.get(0..4)?, 0, 9999)?;
        let month = number(date.get(5..7)?, 1, 12)?;
        let day = number(date.get(8..10)?, 1, days_in(year, month))?;
        let (clock, rest) = rest.strip_prefix('T')?.split_at_checked(8)?;
        let hour = number(clock.get(0..2)?, 0, 23)?;
        let minute = number(clock.get(3..5)?, 0, 59)?;
        let second = number(clock.get(6..8)?, 0, 59)?;
        let marks = [date.get(4..5)?, date.get(7..8)?, clock.get(2..3)?, clock.get(5..6)?];
        if marks != ["-", "-", ":", ":"] {
            return None;
        }
        let (nanoseconds, zone) = fraction(rest)?;
        let seconds = days_until(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset(zone)?;
        Some(GoTime { seconds, nanoseconds })
    }

    /// In UTC and whole seconds, as most times are written.
    pub(crate) fn in_seconds(self) -> String {
        format!("{}Z", self.clock())
    }

    /// In UTC with microseconds.
    pub(crate) fn in_microseconds(self) -> String {
        format!("{}.{:06}Z", self.clock(), self.nanoseconds / 1000)
    }

    fn clock(self) -> String {
        let (days, second) = (self.seconds.div_euclid(DAY), self.seconds.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        let sign = if year < 0 { "-" } else { "" };
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{sign}{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", year.abs())
    }
}

/// Whether a custom resource may have this as a `date-time`: there the text is kept as it is, and looked at less closely.
pub(crate) fn is_date_time(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut parts = lower.split('t');
    let (Some(date), Some(time)) = (parts.next(), parts.next()) else { return false };
    let at_midnight = format!("{date}T00:00:00Z");
    if date.len() != 10 || GoTime::read(&at_midnight).is_none() {
        return false;
    }
    let Some((clock, rest)) = time.split_at_checked(8) else { return false };
    let digits = |range| number(clock.get(range).unwrap_or_default(), 0, 99);
    let sound = digits(0..2).is_some_and(|hour| hour <= 23)
        && digits(3..5).is_some_and(|minute| minute <= 59)
        && digits(6..8).is_some_and(|second| second <= 59)
        && clock.get(2..3) == Some(":")
        && clock.get(5..6) == Some(":");
    let digits = rest.get(1..).unwrap_or_default();
    let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    // Any character may stand before a fraction.
    let zone = if length > 0 && !rest.starts_with(['+', '-']) { &digits[length..] } else { rest };
    let is_offset = |zone: &str| {
        zone.len() == 6
            && zone.starts_with(['+', '-'])
            && zone.get(3..4) == Some(":")
            && [zone.get(1..3), zone.get(4..6)]
                .into_iter()
                .all(|part| part.is_some_and(|part| number(part, 0, 99).is_some()))
    };
    sound && (zone == "z" || is_offset(zone))
}

fn number(digits: &str, least: i64, most: i64) -> Option<i64> {
    let all = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| all)?;
    (least..=most).contains(&number).then_some(number)
}

fn fraction(rest: &str) -> Option<(u32, &str)> {
    let Some(digits) = rest.strip_prefix(['.', ',']) else { return Some((0, rest)) };
    let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, zone) = digits.split_at(length);
    let nanoseconds = format!("{digits:0<9}").get(0..9)?.parse().ok()?;
    (length > 0).then_some((nanoseconds, zone))
}

/// In seconds.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = match zone.get(0..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    if zone.len() != 6 || zone.get(3..4) != Some(":") {
        return None;
    }
    Some(sign * (number(zone.get(1..3)?, 0, 24)? * 3600 + number(zone.get(4..6)?, 0, 59)? * 60))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to a date. Years begin in March here, so that the leap day is the last.
fn days_until(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date so many days after 1970.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_as_go_does() {
        let table = [
            ("2026-11-29T20:00:00Z", Some("2026-11-29T20:00:00Z")),
            ("2024-02-29T23:59:59.5+01:30", Some("2024-02-29T22:29:59Z")),
            ("2023-02-29T00:00:00Z", None),
            ("9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59Z")),
            ("9999-12-31T23:59:59-12:00", Some("10000-01-01T11:59:59Z")),
            ("0000-01-01T00:00:00Z", Some("0000-01-01T00:00:00Z")),
            ("0000-01-01T00:00:00+12:00", Some("-0001-12-31T12:00:00Z")),
            ("10000-01-01T00:00:00Z", None),
            ("2026-11-29T20:00:60Z", None),
            ("2026-11-29T24:00:00Z", None),
            ("2026-11-29 20:00:00Z", None),
            ("2026-11-29T20:00:00", None),
            ("2026-11-29T20:00:00z", None),
            ("2026-11-29T20:00:00.Z", None),
            ("yesterday", None),
            ("", None),
            ("9999-12-31T23:59:5\u{e9}Z", None),
        ];
        for (text, written) in table {
            assert_eq!(GoTime::read(text).map(GoTime::in_seconds).as_deref(), written, "{text}");
        }
        let exact = GoTime::read("2026-01-01T00:00:00.000001Z").unwrap();
        assert_eq!(exact.in_microseconds(), "2026-01-01T00:00:00.000001Z");
    }

    #[test]
    fn a_custom_resource_may_have_what_is_no_time_elsewhere() {
        let taken = [
            "2026-11-29T20:00:00Z",
            "9999-12-31T23:59:59Z",
            "9999-12-31t23:59:59z",
            "2026-11-29T20:00:00.123+99:99",
            "2026-11-29T20:00:00,5Z",
            "0000-01-01T00:00:00Z",
            "2026-11-29T20:00:00ZTrailing",
        ];
        for text in taken {
            assert!(is_date_time(text), "{text}");
        }
        for text in
            ["10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-29T24:00:00Z", "2026-11-29", "yesterday", ""]
        {
            assert!(!is_date_time(text), "{text}");
        }
    }
}
