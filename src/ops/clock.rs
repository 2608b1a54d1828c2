//! The one place that reads time.
//!
//! Wall time is an epoch plus what tokio's clock says has passed since, so a paused tokio runtime passes days in
//! milliseconds and everything that asks this clock agrees with everything that sleeps.

use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// What a wall clock may differ from the time that has passed without having jumped: it shows whole seconds, and is
/// corrected now and then.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// A wall clock. Its copies are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    epoch: Option<(Timestamp, Instant)>,
    /// Seconds by which somebody set it.
    set_by: Arc<AtomicI64>,
}

impl Clock {
    /// The system's wall clock, steps and corrections included.
    pub fn system() -> Self {
        Self { epoch: None, set_by: Arc::default() }
    }

    /// A clock that says `start` now and then goes as tokio's clock goes. Needs a tokio runtime.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { epoch: Some((start, Instant::now())), set_by: Arc::default() }
    }

    /// The time, in whole seconds: the API server keeps no more, and a decision must not differ from its own record.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> Timestamp {
        let now = match self.epoch {
            None => Timestamp::now(),
            Some((epoch, origin)) => epoch.checked_add(origin.elapsed()).unwrap_or(Timestamp::MAX),
        };
        let seconds = now.as_second().saturating_add(self.set_by.load(Ordering::Relaxed));
        Timestamp::from_second(seconds).unwrap_or(now)
    }

    /// Sets the clock forward, or back, as people and time servers do.
    pub fn set(&self, by: SignedDuration) {
        self.set_by.fetch_add(by.as_secs(), Ordering::Relaxed);
    }
}

/// Notices when a wall clock jumps: when it does not agree with the time that has passed.
#[derive(Debug, Default)]
pub struct ClockJumpDetector {
    last: Mutex<Option<Sighting>>,
}

#[derive(Debug, Clone, Copy)]
struct Sighting {
    shown: Timestamp,
    seen: Instant,
    jumped: Option<Instant>,
}

impl ClockJumpDetector {
    /// How long ago the clock jumped, if it did while somebody looked. `shown` is what it says now.
    pub fn jumped(&self, shown: Timestamp) -> Option<Duration> {
        let mut last = self.last.lock();
        let seen = Instant::now();
        let jumps = last.is_some_and(|last| {
            let passed = SignedDuration::try_from(seen.duration_since(last.seen)).unwrap_or(SignedDuration::MAX);
            (shown.duration_since(last.shown) - passed).abs() > TOLERANCE
        });
        let jumped = if jumps { Some(seen) } else { last.and_then(|last| last.jumped) };
        *last = Some(Sighting { shown, seen, jumped });
        jumped.map(|then| seen.duration_since(then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_jump_is_noticed_in_both_directions_and_the_passing_of_time_is_none() {
        for by in [3600, -3600] {
            let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
            let detector = ClockJumpDetector::default();
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(987_654)).await;
                assert_eq!(detector.jumped(clock.now()), None);
            }
            clock.set(SignedDuration::from_secs(by));
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(detector.jumped(clock.now()), Some(Duration::ZERO), "seen by {by} s");
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(detector.jumped(clock.now()), Some(Duration::from_secs(60)));
        }
    }
}
