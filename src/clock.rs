//! The one place that reads time.
//!
//! Wall time is an epoch plus what tokio's clock says has passed since, so a paused tokio runtime passes days in
//! milliseconds and everything that asks this clock agrees with everything that sleeps.

use jiff::Timestamp;
use tokio::time::Instant;

/// A wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    epoch: Option<(Timestamp, Instant)>,
}

impl Clock {
    /// The system's wall clock, steps and corrections included.
    pub fn system() -> Self {
        Self { epoch: None }
    }

    /// A clock that says `start` now and then goes as tokio's clock goes. Needs a tokio runtime.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { epoch: Some((start, Instant::now())) }
    }

    /// The time, in whole seconds: the API server keeps no more, and a decision must not differ from its own record.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> Timestamp {
        let now = match self.epoch {
            None => Timestamp::now(),
            Some((epoch, origin)) => epoch.checked_add(origin.elapsed()).unwrap_or(Timestamp::MAX),
        };
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}
