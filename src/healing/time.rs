//! Arithmetic on instants that cannot panic, and the collector of wake-ups.
//!
//! Must not read a clock: every instant comes from the caller.

use jiff::{SignedDuration, Timestamp};

/// `start + length`, pinned to the largest instant instead of overflowing.
pub fn after(start: Timestamp, length: SignedDuration) -> Timestamp {
    start.checked_add(length).unwrap_or(Timestamp::MAX)
}

/// `end - length`, pinned to the smallest instant instead of overflowing.
pub fn before(end: Timestamp, length: SignedDuration) -> Timestamp {
    end.checked_sub(length).unwrap_or(Timestamp::MIN)
}

/// How long ago `start` was; never negative, so that a clock that jumped back cannot age anything.
pub fn elapsed(start: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(start).max(SignedDuration::ZERO)
}

/// An instant from elsewhere (another clock, an old status), never later than `now`.
pub fn clamp(instant: Timestamp, now: Timestamp) -> Timestamp {
    instant.min(now)
}

/// A length of time for people: `45s`, `11m`, `2h10m`.
pub fn spoken(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, 0) => format!("{m}m"),
        (0, m, s) if m < 10 => format!("{m}m{s}s"),
        (0, m, _) => format!("{m}m"),
        (h, 0, _) => format!("{h}h"),
        (h, m, _) => format!("{h}h{m}m"),
    }
}

/// The earliest instant in the future at which the decision could differ although nothing in the world changes.
#[derive(Debug, Default)]
pub struct Wakeups {
    earliest: Option<Timestamp>,
}

impl Wakeups {
    /// Asks to be woken at `instant`, if that is still to come.
    pub fn at(&mut self, instant: Timestamp, now: Timestamp) {
        if instant > now {
            self.earliest = Some(self.earliest.map_or(instant, |known| known.min(instant)));
        }
    }

    /// The earliest instant asked for.
    pub fn earliest(&self) -> Option<Timestamp> {
        self.earliest
    }
}
