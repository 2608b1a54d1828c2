//! The one clock of the cluster. No other file reads the time.
//!
//! Wall time is an epoch plus the time tokio's clock has passed since, so a paused runtime passes days in moments.

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

/// Wall time derived from tokio's clock. Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    epoch: Timestamp,
    origin: Instant,
    /// How far all jumps together have moved the clock.
    jumped: watch::Sender<SignedDuration>,
}

impl Clock {
    /// A clock that starts at the machine's time.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's time")]
    pub fn real() -> Clock {
        Clock::starting_at(Timestamp::now())
    }

    /// A clock that shows `epoch` now and goes on with tokio's clock.
    pub fn starting_at(epoch: Timestamp) -> Clock {
        Clock { epoch, origin: Instant::now(), jumped: watch::Sender::new(SignedDuration::ZERO) }
    }

    /// The time now; stays at the largest timestamp should it ever be reached.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.origin.elapsed()).unwrap_or(SignedDuration::MAX);
        let passed = passed.saturating_add(*self.jumped.borrow());
        let end = if passed.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
        self.epoch.checked_add(passed).unwrap_or(end)
    }

    /// Moves the clock, and all its clones, forth or back at once, as an administrator or a time server does.
    pub fn jump(&self, by: SignedDuration) {
        self.jumped.send_modify(|jumped| *jumped = jumped.saturating_add(by));
    }

    /// Marked changed with every jump.
    pub(crate) fn jumps(&self) -> watch::Receiver<SignedDuration> {
        self.jumped.subscribe()
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
