//! The queue of services to look at: coalescing, one worker a key, the earliest time wins.
//!
//! It must not space actions: a wake-up never is a permission. What must not happen before a certain time says so in the
//! status (`notBefore`), so an event that comes early only costs a look.

use std::collections::{BTreeMap, BTreeSet};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::observe::record::Key;

/// A queue of keys with due times.
#[derive(Debug, Default)]
pub struct Queue {
    state: std::sync::Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    due: BTreeMap<Key, Instant>,
    running: BTreeSet<Key>,
}

impl Queue {
    /// Asks for a look at `key` at `when`, or earlier if that was asked for already.
    pub fn add(&self, key: Key, when: Instant) {
        let mut state = self.lock();
        let due = state.due.entry(key).or_insert(when);
        *due = (*due).min(when);
        drop(state);
        self.changed.notify_one();
    }

    /// Waits for the next key that is due and that nobody works on. It must be given back with `done`.
    pub async fn next(&self) -> Key {
        loop {
            let changed = self.changed.notified();
            let earliest = {
                let mut state = self.lock();
                let free = state.due.iter().filter(|(key, _)| !state.running.contains(*key));
                let earliest = free.min_by_key(|(_, due)| **due).map(|(key, due)| (key.clone(), *due));
                match earliest {
                    Some((key, due)) if due <= Instant::now() => {
                        state.due.remove(&key);
                        state.running.insert(key.clone());
                        drop(state);
                        // There may be more for the next worker.
                        self.changed.notify_one();
                        return key;
                    }
                    Some((_, due)) => Some(due),
                    None => None,
                }
            };
            match earliest {
                Some(due) => tokio::select! { biased; () = changed => {}, () = sleep_until(due) => {} },
                None => changed.await,
            }
        }
    }

    /// Gives a key back. What was asked for in the meantime becomes due now.
    pub fn done(&self, key: &Key) {
        self.lock().running.remove(key);
        self.changed.notify_one();
    }

    /// A lock that another worker's panic cannot take away: the state is consistent after each statement.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
