//! Restart counters over time: differences inside a window, never lifetime counts.
//!
//! A counter jumps (several restarts between two observations), stays, and falls to zero with a new pod. Differences are taken
//! per pod UID and container against what the status remembers, so a restart of kubeheal loses none.

use jiff::Timestamp;

use super::context::{Context, is_ignored};
use crate::model::{
    moment::{before, clamp, elapsed},
    snapshot::{Container, Termination},
    state::{ContainerRecord, MAX_RESTARTS},
};

impl Context<'_> {
    /// Adds the restarts since the last observation, but for the one that came with a boot of the node.
    pub(super) fn count_restarts(
        &self,
        record: &mut ContainerRecord,
        known: Option<&ContainerRecord>,
        container: &Container,
    ) {
        let Self { state, policy, moment, .. } = *self;
        let (now, count) = (moment.now(), container.restart_count);
        let counted = counted_from(self, known, container);
        let new = count.saturating_sub(counted).saturating_sub(record.of_boot_among(counted, count));
        if new == 0 || is_ignored(container.last.as_ref(), policy) {
            return;
        }
        // A known container restarted just now, as far as we can tell; an unknown one when it last ended.
        let latest = match known {
            Some(_) => now,
            None => container.last.as_ref().and_then(|last| last.finished).map_or(now, |time| clamp(time, now)),
        };
        let new = usize::try_from(new).unwrap_or(MAX_RESTARTS).min(MAX_RESTARTS);
        let mut dates = spread(latest, new, container.last.as_ref());
        if let Some(released) = state.dependency.released_at {
            let before_that =
                container.last.as_ref().and_then(|end| end.finished).is_some_and(|ended| ended <= released);
            for (date, number) in dates.iter_mut().rev().zip((1..=count).rev()) {
                // Started again only now, after an end that is forgiven.
                if before_that || number <= record.forgiven {
                    *date = (*date).min(released);
                }
            }
        }
        if let Some(&known) = record.restarts.last() {
            for date in &mut dates {
                *date = (*date).max(known);
            }
        }
        record.restarts.extend(dates);
    }
}

/// Restarts after so many are new. A container met for the first time by a service met for the first time has an unknown past: of its
/// restarts only the last can be dated, so only that counts. A new container of a known service started from zero under our eyes.
pub(super) fn counted_from(context: &Context<'_>, known: Option<&ContainerRecord>, container: &Container) -> u32 {
    match known {
        Some(known) => known.restart_count,
        None if context.knows_its_past() => 0,
        None => container.restart_count.saturating_sub(1),
    }
}

/// Restarts that nobody watched lie as far apart as the last run was long, as far as can be told; oldest first. Dated all
/// alike, those of a whole night would seem to be of this minute.
fn spread(latest: Timestamp, count: usize, last: Option<&Termination>) -> Vec<Timestamp> {
    let run = last.and_then(|end| end.started.zip(end.finished)).map(|(from, to)| elapsed(from, to));
    let apart = run.unwrap_or_default();
    let mut dates = Vec::with_capacity(count);
    let mut date = latest;
    for _ in 0..count {
        dates.push(date);
        date = before(date, apart);
    }
    dates.reverse();
    dates
}
