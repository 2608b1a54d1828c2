//! The queue of services to reconcile: coalescing, one worker a key, the earliest time wins.
//!
//! It must not space actions: a wake-up never is a permission. What must not happen before a certain time says so in the
//! status, so an event that comes early only costs a reconcile.

use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::base::Key;

/// A queue of keys with due times.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    due: BTreeMap<Key, Instant>,
    /// The same by time; keys that are being worked on are only in `due`.
    order: BTreeSet<(Instant, Key)>,
    running: BTreeMap<Key, Instant>,
}

impl Queue {
    /// Asks for `key` to be reconciled at `when`, or earlier if that was asked for already.
    pub fn add(&self, key: Key, when: Instant) {
        self.state.lock().add(key, when);
        self.changed.notify_one();
    }

    /// Waits for the next key that is due and that nobody works on. It must be given back with `done`.
    pub async fn next(&self) -> Key {
        loop {
            let changed = self.changed.notified();
            let (ready, earliest) = self.state.lock().take_due();
            if let Some(key) = ready {
                // There may be more for the next worker.
                self.changed.notify_one();
                return key;
            }
            match earliest {
                Some(due) => tokio::select! { biased; () = changed => {}, () = sleep_until(due) => {} },
                None => changed.await,
            }
        }
    }

    /// Gives a key back. What was asked for in the meantime is due again.
    pub fn done(&self, key: &Key) {
        let mut state = self.state.lock();
        state.running.remove(key);
        if let Some(due) = state.due.get(key).copied() {
            state.order.insert((due, key.clone()));
        }
        drop(state);
        self.changed.notify_one();
    }

    /// How many keys are due and wait for a worker.
    pub fn depth(&self) -> usize {
        let now = Instant::now();
        self.state.lock().order.iter().take_while(|(due, _)| *due <= now).count()
    }

    /// How long the slowest key has been worked on.
    pub fn slowest(&self) -> Option<(Key, Duration)> {
        let state = self.state.lock();
        state.running.iter().min_by_key(|(_, since)| **since).map(|(key, since)| (key.clone(), since.elapsed()))
    }
}

impl State {
    fn add(&mut self, key: Key, when: Instant) {
        let known = self.due.get(&key).copied();
        if known.is_some_and(|known| known <= when) {
            return;
        }
        if let Some(known) = known {
            self.order.remove(&(known, key.clone()));
        }
        self.due.insert(key.clone(), when);
        if !self.running.contains_key(&key) {
            self.order.insert((when, key));
        }
    }

    /// The next key if it is due, else when it will be.
    fn take_due(&mut self) -> (Option<Key>, Option<Instant>) {
        let Some((due, key)) = self.order.first().cloned() else { return (None, None) };
        if due > Instant::now() {
            return (None, Some(due));
        }
        self.order.pop_first();
        self.due.remove(&key);
        self.running.insert(key.clone(), Instant::now());
        (Some(key), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        (String::new(), name.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_time_wins_and_a_key_has_one_worker() {
        let queue = Queue::default();
        let begin = Instant::now();
        queue.add(key("late"), begin + Duration::from_secs(60));
        queue.add(key("soon"), begin + Duration::from_secs(30));
        queue.add(key("late"), begin + Duration::from_secs(10));
        queue.add(key("late"), begin + Duration::from_secs(90));
        assert_eq!(queue.next().await, key("late"));
        assert_eq!(begin.elapsed(), Duration::from_secs(10));

        queue.add(key("late"), Instant::now());
        assert_eq!(queue.depth(), 0, "what is being worked on does not wait for a worker");
        assert_eq!(queue.next().await, key("soon"), "late is being worked on");
        sleep_until(begin + Duration::from_secs(31)).await;
        queue.done(&key("late"));
        assert_eq!(queue.depth(), 1);
        assert_eq!(queue.next().await, key("late"), "what was asked for meanwhile is not lost");
        assert_eq!(queue.slowest().map(|(slowest, _)| slowest), Some(key("soon")));
    }
}
