//! The one clock of the cluster. No other file reads the time.
//!
//! Wall time is an epoch plus the time tokio's clock has passed since, so a paused runtime passes days in moments.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Wall time derived from tokio's clock. Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    epoch: Timestamp,
    origin: Instant,
}

impl Clock {
    /// A clock that starts at the machine's time.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's time")]
    pub fn real() -> Clock {
        Clock::starting_at(Timestamp::now())
    }

    /// A clock that shows `epoch` now and goes on with tokio's clock.
    pub fn starting_at(epoch: Timestamp) -> Clock {
        Clock { epoch, origin: Instant::now() }
    }

    /// The time now; stays at the largest timestamp should it ever be reached.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.origin.elapsed()).unwrap_or(SignedDuration::MAX);
        self.epoch.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// The time now as Kubernetes writes `metav1.Time`: whole seconds, UTC.
    pub fn seconds(&self) -> String {
        self.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// The time now as Kubernetes writes `metav1.MicroTime`.
    pub fn micros(&self) -> String {
        self.now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
    }
}
