//! Boots of nodes: which end of a container came with its node, so that neither it nor the restart after it counts.
//!
//! A node that goes down in an orderly way tells its containers to end like anybody else would: their ends say nothing of it, and
//! the new boot ID of the node does. Of each container one restart comes with a boot, and no more: what goes on falling is
//! charged. The kubelet tells of its node and of its pods in no order that could be relied on.

use jiff::{SignedDuration, Timestamp};

use super::{
    context::{Context, is_ignored},
    restarts::counted_from,
};
use crate::model::{
    moment::elapsed,
    snapshot::{Container, ContainerState, Pod, Role, has_run},
    state::{BootEnd, ContainerRecord, PodRecord},
};

/// A restart that was seen no longer than this before the new boot ID came with it.
const SEEN_BEFORE: SignedDuration = SignedDuration::from_secs(30);
/// What restarts for the first time so long after the new boot ID was seen did not come back with the node.
const SEEN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What is remembered of its node's boots: the digest of the latest boot ID, and since when it is another than the one under which
/// the pod had run before. What cannot be seen is not remembered either.
pub(super) fn of_pod(known: Option<&PodRecord>, pod: &Pod, now: Timestamp) -> (Option<String>, Option<Timestamp>) {
    let Some(boot) = &pod.host.boot else { return (None, None) };
    let is_new = known.and_then(|known| known.boot.as_ref()).is_some_and(|known| known != boot);
    let since = known.filter(|known| known.boot.is_some()).and_then(|known| known.booted_since);
    (Some(boot.clone()), if is_new && has_run(pod) { Some(now) } else { since })
}

impl Context<'_> {
    /// Finds out which end came with a boot of the node. Where the new boot ID is seen after the end, or after the restart, what was
    /// made of them is taken back.
    pub(super) fn track_boot(
        &self,
        record: &mut ContainerRecord,
        known: Option<&ContainerRecord>,
        (pod, container): (&Pod, &Container),
    ) {
        let now = self.moment.now();
        record.restarted = match known {
            Some(known) if container.restart_count > known.restart_count => Some(now),
            Some(known) => known.restarted,
            None => Some(now).filter(|_| container.restart_count > 0 && self.knows_its_past()),
        };
        record.boot_end = known.and_then(|known| known.boot_end);
        let (_, booted) = of_pod(self.state.observed.pod(&pod.uid), pod, now);
        let Some(booted) = booted else { return };
        if record.boot_end.is_some_and(|end| end.booted >= booted) {
            return;
        }
        let counted = counted_from(self, known, container);
        let came_before = known.filter(|known| known.restart_count == container.restart_count);
        let came_before = came_before.and_then(|known| known.restarted).filter(|&restarted| {
            restarted <= booted && elapsed(restarted, booted) <= SEEN_BEFORE && container.restart_count > 0
        });
        let in_time = elapsed(booted, now) <= SEEN_AFTER;
        let end = match came_before {
            Some(restarted) => {
                take_back_restart(record, container, restarted);
                container.restart_count
            }
            // What runs for the first time after the boot did not end with it.
            None if booted == now && !ran_before(container) => 0,
            None if in_time && (container.restart_count > counted || will_start_again(container)) => {
                let end = counted.saturating_add(1);
                if known.is_some_and(|known| known.ends >= end) && !container.is_in_back_off() {
                    self.take_back_end(record, container);
                }
                end
            }
            None => return,
        };
        record.boot_end = Some(BootEnd { end, booted });
    }

    /// It was told to end as its node went down.
    fn take_back_end(&self, record: &mut ContainerRecord, container: &Container) {
        if !is_ignored(container.last_termination(), self.policy) {
            take_back_relapse(record);
        }
    }
}

fn take_back_restart(record: &mut ContainerRecord, container: &Container, restarted: Timestamp) {
    // The first of a container that was not known is dated by its node.
    let ended = container.last.as_ref().and_then(|last| last.finished);
    if record.restarts.pop_if(|time| *time >= restarted || Some(*time) == ended).is_some() {
        take_back_relapse(record);
    }
}

/// A crash loop of no other end than this one is none.
fn take_back_relapse(record: &mut ContainerRecord) {
    record.relapses = record.relapses.saturating_sub(1);
    if record.relapses == 0 {
        record.crash_loop_since = None;
    }
}

fn ran_before(container: &Container) -> bool {
    matches!(container.state, ContainerState::Running(_)) || container.last_termination().is_some()
}

/// It has ended and is to run again. An init container that has done its part runs again only if the boot takes that away.
fn will_start_again(container: &Container) -> bool {
    match &container.state {
        ContainerState::Terminated(end) => {
            let is_done = container.role == Role::Init && end.exit_code == 0;
            container.restarts.follows(end) && !is_done
        }
        ContainerState::Waiting { .. } => container.last.is_some(),
        ContainerState::Running(_) | ContainerState::Unknown => false,
    }
}
