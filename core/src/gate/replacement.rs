//! Replacement: whether what replaces a pod can come.
//!
//! Nothing is taken away that serves, or may recover by itself, unless there is no doubt about what replaces it. What keeps
//! another pod of the same template, another container of the same pod or the workload's controller from starting would keep
//! the new pod from it too, whether it lasts or not. Must not judge what is wrong: a pod that starts and falls is no doubt.

use jiff::Timestamp;

use crate::{
    diagnose::{ContainerContext, cannot_be_helped, explained, gates, init_failure, obstacle},
    model::{
        plan::{Effect, Plan},
        reason::{Block, Reason},
        snapshot::{
            Container, EVERY_START, Ordinals, Phase, Pod, Role, Workload, WorkloadKind, WorkloadState, has_run,
        },
        state::Unproven,
    },
};

/// Why what a step takes away may not come back, if there is doubt.
///
/// Of a rollback only what is known of the controller is asked, and only where a pod serves that goes before another comes: it makes
/// pods from another template, and what keeps those of the present one from starting is what it is to mend. Elsewhere the
/// workload's own controller takes none away before enough new ones are ready.
pub(super) fn doubt(
    context: &ContainerContext<'_>,
    (workload, pods): (&Workload, &[Pod]),
    unproven: Option<&Unproven>,
    plan: &Plan,
) -> Option<Block> {
    let Workload::Present(state) = workload else { return None };
    let taken = match plan.effect {
        Effect::EvictPod { .. } => pods.iter().find(|pod| Some(&pod.uid) == plan.action.target_uid.as_ref()),
        Effect::ReplaceWorkload { .. } if state.kind == WorkloadKind::Pod => pods.first(),
        // All of them.
        Effect::ReplaceWorkload { .. } | Effect::Scale { from: _, to: 0 } => None,
        Effect::Rollback { .. } => return of_rollback(state, pods, plan),
        Effect::CreateWorkload { .. } | Effect::Scale { .. } | Effect::Select { .. } => return None,
    };
    let whole = matches!(plan.effect, Effect::ReplaceWorkload { .. });
    if let Some(block) = of_node(pods, taken, whole) {
        return Some(block);
    }
    let siblings: Vec<&Pod> = pods.iter().filter(|pod| is_sibling(pod, taken)).collect();
    let block = |reason, why| Block::new(reason, format!("what replaces {} may not come: {why}", plan.action.target));
    let why = certain(state, taken, &siblings).or_else(|| {
        let taken = taken?;
        let last_repair = unproven.and_then(|unproven| never_came(unproven, taken));
        last_repair.or_else(|| is_last_ready(taken, pods, plan)).or_else(|| waits_for_another(state, taken, pods))
    });
    if let Some(why) = why {
        return Some(block(Reason::ReplacementUncertain, why));
    }
    let worth_a_word = context.policy.first_sign();
    if let Some(why) = missing(state, pods, taken) {
        // A controller takes a moment to make them.
        let since = context.observed.progress.as_ref().map_or(Timestamp::MIN, |progress| progress.since);
        if context.moment.lasts(since, worth_a_word) {
            return Some(block(Reason::ReplacementUncertain, why));
        }
    }
    let (since, why) = still_to_come(context, &siblings)?;
    // Every pod takes a moment to come.
    let lasts = context.moment.lasts(since, worth_a_word);
    let reason = if lasts { Reason::ReplacementUncertain } else { Reason::NotYet };
    Some(block(reason, why))
}

/// Its controller takes the pods away that serve and can make none, whatever they are made from.
fn of_rollback(state: &WorkloadState, pods: &[Pod], plan: &Plan) -> Option<Block> {
    let serves = |pod: &Pod| pod.is_ready() && pod.is_living();
    let why = state.replica_failure.as_ref().filter(|_| state.all_at_once && pods.iter().any(serves))?;
    let message =
        format!("what replaces the pods of {} may not come: no pods can be created: {why}", plan.action.target);
    Some(Block::new(Reason::ReplacementUncertain, message))
}

/// What is asked to go from a node that is lost does not go, and what comes instead may come to the same node. Who drains a
/// node takes its pods away himself.
fn of_node(pods: &[Pod], taken: Option<&Pod>, whole: bool) -> Option<Block> {
    let (pod, reason, why) = match taken {
        Some(pod) => match (&pod.host.loss, &pod.host.drain) {
            (Some(loss), _) => (pod, Reason::NodeLost, loss.words()),
            (None, Some(drain)) => (pod, Reason::NodeDraining, drain.words()),
            (None, None) => return None,
        },
        None => {
            let pod = pods.iter().find(|pod| whole && pod.loss().is_some())?;
            (pod, Reason::NodeLost, pod.loss()?.words())
        }
    };
    let message =
        format!("{} is on {}, which {why}: it is left to whoever looks after nodes", pod.name, pod.node_named());
    Some(Block::new(reason, message))
}

/// A pod that came from where the replacement of `taken` will come from, as far as anybody says; any, if all are taken.
fn is_sibling(pod: &Pod, taken: Option<&Pod>) -> bool {
    let Some(taken) = taken else { return !pod.is_deleting() };
    !pod.is_deleting() && pod.uid != taken.uid && comes_from_the_same(pod, taken)
}

fn comes_from_the_same(pod: &Pod, taken: &Pod) -> bool {
    let both = pod.origin.made_from.as_ref().zip(taken.origin.replaced_from.as_ref());
    both.is_none_or(|(made_from, replaced_from)| made_from == replaced_from)
}

/// What is in the way, in the words of who says so.
fn certain(state: &WorkloadState, taken: Option<&Pod>, siblings: &[&Pod]) -> Option<String> {
    let of_controller = || {
        let why = state.replica_failure.as_ref()?;
        Some(format!("no pods of {} can be created: {why}", state.name))
    };
    let of_pod = || {
        // It is replaced for something else than this, or it would not be replaced.
        let pod = taken.filter(|pod| comes_from_the_same(pod, pod))?;
        let blocked = |container: &Container| {
            let (reason, message) = obstacle(container)?;
            cannot_be_helped(reason, message)?;
            cannot_start(container)
        };
        pod.containers.iter().find_map(blocked).map(|why| format!("{} itself cannot start: {why}", pod.name))
    };
    let of_siblings = || siblings.iter().find_map(|pod| Some(format!("{} {}", pod.name, keeps(pod)?)));
    let of_rejected = || {
        let pod = siblings.iter().find(|pod| is_rejected(pod, taken, siblings))?;
        let said = pod.reason.iter().chain(&pod.message).cloned().collect::<Vec<_>>().join(": ");
        Some(format!("{} failed before it ran: {said}", pod.name))
    };
    of_controller().or_else(of_pod).or_else(of_siblings).or_else(of_rejected)
}

/// What keeps a pod from starting, if something says so.
fn keeps(pod: &Pod) -> Option<String> {
    if matches!(pod.phase, Phase::Failed | Phase::Succeeded) {
        return None;
    }
    if let Some(why) = gates(pod) {
        return Some(format!("is on no node: {why}"));
    }
    if let Some(why) = &pod.unschedulable {
        return Some(format!("finds no node: {why}"));
    }
    pod.containers.iter().find_map(cannot_start).map(|why| format!("cannot start: {why}"))
}

fn cannot_start(container: &Container) -> Option<String> {
    let blocked = obstacle(container).filter(|(reason, _)| !EVERY_START.contains(reason));
    let blocked =
        blocked.map(|(reason, message)| format!("{}: {reason}{}", container.name, explained(container, message)));
    blocked.or_else(|| init_failure(container).filter(|_| container.role == Role::Init))
}

/// It failed before any of its containers ran, and no pod that came later got further: its node, or whoever admits pods
/// there, did not want it.
fn is_rejected(pod: &Pod, taken: Option<&Pod>, siblings: &[&Pod]) -> bool {
    let got_further = |other: &Pod| has_run(other) && other.origin.created > pod.origin.created;
    let mut others = siblings.iter().copied().chain(taken);
    pod.phase == Phase::Failed && !has_run(pod) && !others.any(got_further)
}

/// The last restart brought nothing that was ready, and this pod is none of those that came of it.
fn never_came(unproven: &Unproven, taken: &Pod) -> Option<String> {
    let message = || format!("what came instead of {} has not been ready yet", unproven.target);
    (!taken.is_younger_than(unproven.youngest)).then(message)
}

/// It serves, whatever is wrong with it, and no other does. Who asks for restarts after an outage of a dependency, of a
/// workload of one pod, asks for this.
fn is_last_ready(taken: &Pod, pods: &[Pod], plan: &Plan) -> Option<String> {
    let serves = |pod: &Pod| pod.is_ready() && pod.is_living();
    let another = pods.iter().any(|pod| pod.uid != taken.uid && serves(pod));
    let is_asked_for = plan.cause == Reason::DependencyRecovered && pods.len() == 1;
    // It is ready between two falls, and waited for anyway.
    let falls = [Reason::CrashLoop, Reason::OOMKilled, Reason::LivenessFailed, Reason::StartupFailed];
    (serves(taken) && !another && !is_asked_for && !falls.contains(&plan.cause))
        .then(|| "it is the last one that is ready".to_owned())
}

/// A StatefulSet that makes its pods one by one makes none before those with a lower number are ready.
fn waits_for_another(state: &WorkloadState, taken: &Pod, pods: &[Pod]) -> Option<String> {
    state.ordinals.filter(|ordinals| ordinals.one_by_one)?;
    let own = Ordinals::of(&taken.name)?;
    let is_before = |pod: &&Pod| Ordinals::of(&pod.name).is_some_and(|number| number < own);
    let is_ready = |pod: &Pod| pod.is_ready() && !pod.is_deleting();
    let other = pods.iter().filter(is_before).find(|pod| !is_ready(pod))?;
    Some(format!("{} comes before it and is not ready", other.name))
}

/// A pod that is not there yet, and since when: nobody knows whether it will be.
fn still_to_come(context: &ContainerContext<'_>, siblings: &[&Pod]) -> Option<(Timestamp, String)> {
    siblings.iter().find_map(|pod| {
        let of_pod = context.observed.pod(&pod.uid);
        Some((of_pod.and_then(|record| record.pending_since).unwrap_or(Timestamp::MIN), still_waits(pod)?))
    })
}

/// What a pod still waits for, as every pod does for a moment.
fn still_waits(pod: &Pod) -> Option<String> {
    let name = &pod.name;
    let container = pod.containers.iter().find(|container| container.waits_to_start());
    match (pod.phase, container) {
        (Phase::Pending | Phase::Running, Some(container)) => {
            let trouble = pod.sandbox_trouble().map(|trouble| format!(": it has no sandbox: {}", trouble.words));
            Some(format!("{} of {name} has not been created{}", container.name, trouble.unwrap_or_default()))
        }
        (Phase::Pending, None) if pod.containers.is_empty() => Some(format!("{name} is on no node")),
        (Phase::Pending, None) => Some(format!("{name} is starting")),
        (Phase::Running | Phase::Succeeded | Phase::Failed | Phase::Unknown, _) => None,
    }
}

/// Pods that are wanted and that nobody makes. A StatefulSet and a DaemonSet do not say why; that they are not there does.
fn missing(state: &WorkloadState, pods: &[Pod], taken: Option<&Pod>) -> Option<String> {
    // What is taken has its place, even if it has failed.
    let is_other = |pod: &&Pod| taken.is_none_or(|taken| taken.uid != pod.uid);
    let others = pods.iter().filter(is_other).filter(|pod| pod.is_living()).count();
    let there = others.saturating_add(usize::from(taken.is_some()));
    let wanted = usize::try_from(state.desired).unwrap_or(usize::MAX);
    let is_explained = match state.kind {
        // It makes the next one when the one before it is gone.
        WorkloadKind::DaemonSet => pods.iter().any(Pod::is_deleting),
        WorkloadKind::StatefulSet => one_waits_for_another(state, pods),
        WorkloadKind::Deployment => false,
        WorkloadKind::Pod => true,
    };
    let message = || format!("{there} of {wanted} pods of {} exist and no more are made", state.name);
    (there < wanted && !is_explained).then(message)
}

/// The first pod that is missing waits for one before it, or none is missing at all but for those that are about to go.
fn one_waits_for_another(state: &WorkloadState, pods: &[Pod]) -> bool {
    let Some(Ordinals { first, one_by_one }) = state.ordinals else { return true };
    let is_ready = |pod: &Pod| pod.is_ready() && !pod.is_deleting();
    for number in 0..state.desired {
        let ordinal = first.saturating_add(number.into());
        match pods.iter().find(|pod| Ordinals::of(&pod.name) == Some(ordinal)) {
            None => return false,
            Some(pod) if one_by_one && !is_ready(pod) => return true,
            Some(_) => {}
        }
    }
    true
}
