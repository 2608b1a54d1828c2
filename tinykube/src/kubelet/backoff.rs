//! The kubelet's back-off: 10 s, doubled up to 300 s, forgotten after 600 s of peace.
//!
//! The rules are those of `client-go/util/flowcontrol`, on which the recorded times depend: an entry is made by the
//! first restart that *could* have been delayed, and is compared with the moment the last finished instance ended.

use std::time::Duration;

use jiff::Timestamp;

use super::span::between;

const INITIAL: Duration = Duration::from_secs(10);
const MAX: Duration = Duration::from_mins(5);

/// The back-off of one container or image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    entry: Option<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    delay: Duration,
    updated: Timestamp,
}

impl Backoff {
    /// The delay in force for something that happened at `event`, and how much of it is left at `now`.
    pub(crate) fn remaining(&self, event: Timestamp, now: Timestamp) -> Option<(Duration, Duration)> {
        let entry = self.entry.filter(|entry| !entry.expired(event))?;
        let left = entry.delay.checked_sub(between(event, now))?;
        (left > Duration::ZERO).then_some((entry.delay, left))
    }

    /// The delay left at `now` since the last step.
    pub(crate) fn remaining_since_step(&self, now: Timestamp) -> Option<Duration> {
        let entry = self.entry?;
        let left = entry.delay.checked_sub(between(entry.updated, now))?;
        (left > Duration::ZERO).then_some(left)
    }

    /// Makes the next delay longer, or starts anew when the last one is long past.
    pub(crate) fn step(&mut self, event: Timestamp, now: Timestamp) {
        let delay = match self.entry {
            Some(entry) if !entry.expired(event) => (entry.delay * 2).min(MAX),
            _ => INITIAL,
        };
        self.entry = Some(Entry { delay, updated: now });
    }
}

impl Entry {
    fn expired(&self, event: Timestamp) -> bool {
        between(self.updated, event) > MAX * 2
    }
}

/// A duration as Go prints it in the kubelet's messages: `10s`, `1m20s`, `5m0s`.
pub(crate) fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubelet::span::after;

    #[test]
    fn doubles_to_five_minutes_and_forgets_after_ten() {
        let start = Timestamp::UNIX_EPOCH;
        let mut backoff = Backoff::default();
        assert_eq!(backoff.remaining(start, start), None, "the first restart is free");
        let mut delays = Vec::new();
        for _ in 0..7 {
            backoff.step(start, start);
            delays.push(backoff.remaining(start, start).unwrap().0.as_secs());
        }
        assert_eq!(delays, [10, 20, 40, 80, 160, 300, 300]);
        let late = after(start, Duration::from_secs(601));
        assert_eq!(backoff.remaining(late, late), None);
        backoff.step(late, late);
        assert_eq!(backoff.remaining(late, late).unwrap().0, INITIAL);
    }

    #[test]
    fn is_written_like_go() {
        let texts = [10, 80, 300].map(|seconds| go_duration(Duration::from_secs(seconds)));
        assert_eq!(texts, ["10s", "1m20s", "5m0s"]);
    }
}
