//! The moment of a decision, and arithmetic on instants that cannot panic.
//!
//! Must not read a clock: every instant comes from the caller.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};

/// What a ceiling counts in.
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// What the rate of actions in the cluster is counted in.
pub const MINUTE: SignedDuration = SignedDuration::from_mins(1);

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
pub fn humanize(length: SignedDuration) -> String {
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

/// The instant of a decision, and the earliest later one at which it could differ although nothing in the world changes.
///
/// Whoever compares an instant with now does it here, and thereby asks to be woken: no deadline can be forgotten.
#[derive(Debug)]
pub struct Moment {
    now: Timestamp,
    next: Cell<Option<Timestamp>>,
}

impl Moment {
    /// The moment `now`; nobody has asked to be woken yet.
    pub fn new(now: Timestamp) -> Self {
        Self { now, next: Cell::new(None) }
    }

    /// The instant itself.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether `deadline` has come. If not, the decision is made again when it does.
    pub fn reached(&self, deadline: Timestamp) -> bool {
        self.wake_at(deadline);
        self.now >= deadline
    }

    /// Whether `length` has passed since `start`. If not, the decision is made again when it has.
    pub fn lasts(&self, start: Timestamp, length: SignedDuration) -> bool {
        self.wake_at(after(start, length));
        self.elapsed(start) >= length
    }

    /// How long ago `start` was; never negative.
    pub fn elapsed(&self, start: Timestamp) -> SignedDuration {
        elapsed(start, self.now)
    }

    /// Asks for the decision to be made again at `instant`, if that is still to come.
    pub fn wake_at(&self, instant: Timestamp) {
        if instant > self.now {
            self.next.set(Some(self.next.get().map_or(instant, |known| known.min(instant))));
        }
    }

    /// The earliest instant asked for.
    pub fn next(&self) -> Option<Timestamp> {
        self.next.get()
    }
}
