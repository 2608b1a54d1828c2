//! Lengths of time as people write them in scripts: `500ms`, `90s`, `1m30s`, `2h`, `1d`, `never`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A length of time, or *never*. Written with the units `ms`, `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(Duration);

/// The text is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration: write it like 500ms, 90s, 1m30s, 2h, 1d or never")]
pub struct SpanError {
    text: String,
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(Duration::ZERO);
    /// It does not happen.
    pub const NEVER: Span = Span(Duration::MAX);

    /// That many seconds.
    pub const fn seconds(seconds: u64) -> Span {
        Span(Duration::from_secs(seconds))
    }

    /// That many milliseconds.
    pub const fn millis(millis: u64) -> Span {
        Span(Duration::from_millis(millis))
    }

    /// As a [`Duration`]; *never* is the longest one.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// The moment this long after `start`, or the end of time.
    pub fn after(self, start: Timestamp) -> Timestamp {
        after(start, self.0)
    }
}

/// The moment `length` after `start`, or the end of time.
pub(crate) fn after(start: Timestamp, length: Duration) -> Timestamp {
    SignedDuration::try_from(length).ok().and_then(|length| start.checked_add(length).ok()).unwrap_or(Timestamp::MAX)
}

/// How long `later` is after `earlier`; nothing if it is before.
pub(crate) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or(Duration::ZERO)
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Span, SpanError> {
        if text == "never" {
            return Ok(Span::NEVER);
        }
        parse(text).map(Span).ok_or_else(|| SpanError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest == "0" {
        return Some(total);
    }
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let millis = match rest.get(..letters)? {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(millis)?))?;
        rest = rest.get(letters..)?;
    }
    Some(total)
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Span::NEVER {
            return formatter.write_str("never");
        }
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        let (minutes, rest) = (seconds / 60, seconds % 60);
        if minutes > 0 {
            write!(formatter, "{minutes}m")?;
        }
        if rest > 0 || (minutes == 0 && millis == 0) {
            write!(formatter, "{rest}s")?;
        }
        if millis > 0 {
            write!(formatter, "{millis}ms")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Span, SpanError> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [("90s", 90), ("2m", 120), ("1m30s", 90), ("1h", 3600), ("1d", 86_400), ("0", 0)] {
            assert_eq!(text.parse::<Span>(), Ok(Span::seconds(seconds)), "{text}");
        }
        assert_eq!("500ms".parse::<Span>(), Ok(Span::millis(500)));
        assert_eq!("never".parse::<Span>(), Ok(Span::NEVER));
    }

    #[test]
    fn refuses_the_rest_with_advice() {
        for text in ["", "5", "s", "5 parsecs", "-1s", "99999999999999999999d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["0s", "90s", "1m30s", "500ms", "1s500ms", "never", "2m"] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.to_string().parse(), Ok(span), "{text}");
        }
    }
}
