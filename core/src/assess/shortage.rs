//! The clock of the service as a whole: too few pods are ready, whichever they are.
//!
//! Each pod by itself may be young, on its way out, turned away or done with what it was for, and another one come in its place:
//! none of them is in trouble for long, and nobody is served.

use jiff::SignedDuration;

use crate::{
    diagnose::ContainerContext,
    model::{
        moment::clamp,
        snapshot::{Container, Phase, Pod},
        state::{HealthRecord, Shortage},
    },
    observe::initializes,
};

/// Enough for a shorter time than this serves nobody.
const MOMENT: SignedDuration = SignedDuration::from_secs(5);

/// The shortage that goes on, if one does.
pub(super) fn follow(context: &ContainerContext<'_>, record: &HealthRecord, too_few: bool) -> Option<Shortage> {
    let now = context.now();
    if too_few {
        let since = record.short.map_or(now, |short| short.since);
        let lasted = record.short.is_some_and(|short| short.lasted);
        return Some(Shortage { since, enough_since: None, lasted });
    }
    let short = record.short?;
    let enough_since = short.enough_since.unwrap_or(now);
    let is_over = context.moment.lasts(clamp(enough_since, now), MOMENT);
    (!is_over).then_some(Shortage { enough_since: Some(enough_since), ..short })
}

/// The time to start that a pod has a right to; of one in which nothing runs yet, what the policy grants everybody.
fn start(context: &ContainerContext<'_>, pod: &Pod) -> SignedDuration {
    let starts = context.starts();
    if starts.of_pod_goes_on(pod) || is_between_two_steps(context, pod) {
        return starts.budget(pod);
    }
    if initializes(pod) { context.policy.startup_grace } else { SignedDuration::ZERO }
}

/// Something of it has ended a moment ago, or is about to be made again, as after a restart of its node.
fn is_between_two_steps(context: &ContainerContext<'_>, pod: &Pod) -> bool {
    let ended = |container: &Container| {
        let since = context.observed.container(&pod.uid, &container.name).and_then(|record| record.ended_since);
        since.is_some_and(|since| !context.moment.lasts(since, context.policy.not_ready))
    };
    let is_next = |container: &Container| container.waits_to_start() || ended(container);
    pod.phase == Phase::Running && pod.containers.iter().any(is_next)
}

/// Whether it goes on for longer than any start may take that goes on now. A moment in which enough are ready changes nothing, nor
/// does another start after it has once lasted, unless what came before counts for nothing any more.
pub(super) fn lasts(context: &ContainerContext<'_>, short: Option<&Shortage>, pods: &[Pod]) -> bool {
    let Some(short) = short else { return false };
    let begin = context.charged_from(short.since);
    if short.lasted && context.moment.lasts(begin, context.policy.not_ready) {
        return true;
    }
    let longest = pods.iter().filter(|pod| pod.is_living() && !pod.is_ready()).map(|pod| start(context, pod)).max();
    let patience = context.policy.not_ready.saturating_add(longest.unwrap_or(SignedDuration::ZERO));
    context.moment.lasts(begin, patience)
}
