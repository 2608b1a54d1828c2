//! Diagnosing: what is wrong with the workload and each pod, read from objects.
//!
//! Events name the probe of a finding that is there anyway; nothing here is found because of one. Owns which findings are known.

mod context;
mod controller;
mod crash;
mod evidence;
mod pod;
mod readiness;
mod readiness_gate;
mod startup;
mod termination;

pub use self::{
    context::ContainerContext,
    evidence::explained,
    pod::gates,
    readiness::has_just_started,
    startup::{cannot_be_helped, init_failure, obstacle},
};
use crate::{
    model::{
        cause::Cause,
        finding::Finding,
        inputs::Inputs,
        snapshot::{Container, Phase, Pod, Role, Workload, WorkloadState},
        state::{KnownFinding, MAX_FINDINGS, State},
    },
    observe::Observed,
};

/// All findings about the workload and its pods. A workload that is at zero because its circuit is open has none.
pub fn diagnose(inputs: &Inputs<'_>, observed: &Observed, state: &mut State) -> Vec<Finding> {
    let found = match observed.scaled_down_from {
        Some(_) => Vec::new(),
        None => findings(&ContainerContext::new(inputs, state), &observed.workload, &inputs.snapshot.pods),
    };
    // By its own cause, by which it is dated the next time.
    state.observed.findings = found.iter().map(KnownFinding::from).take(MAX_FINDINGS).collect();
    found.into_iter().map(|finding| stuck_on_old_revision(&inputs.snapshot.pods, finding)).collect()
}

/// In a stable order: what is over its threshold first, then by pod and container.
fn findings(context: &ContainerContext<'_>, workload: &Workload, pods: &[Pod]) -> Vec<Finding> {
    let Workload::Present(state) = workload else { return Vec::new() };
    let mut found: Vec<Finding> = controller::missing_pods(context, state, pods).into_iter().collect();
    for pod in pods.iter().filter(|pod| !pod.is_deleting()) {
        found.extend(of_pod(context, state, pods, pod));
    }
    for finding in &mut found {
        // What was found before began then: `since` must not move with every observation.
        if let Some(since) = context.observed.known_since(&finding.place, finding.cause) {
            finding.since = since;
        }
    }
    let order =
        |one: &Finding| (!one.over_threshold, one.place.object().to_owned(), one.place.container().map(str::to_owned));
    found.sort_by_cached_key(order);
    found
}

fn of_pod(context: &ContainerContext<'_>, state: &WorkloadState, pods: &[Pod], pod: &Pod) -> Vec<Finding> {
    if let Some(finding) = pod::out_of_reach(context, pod) {
        return vec![finding];
    }
    if pod.phase == Phase::Failed {
        return pod::failed(context, state, pods, pod).into_iter().collect();
    }
    let as_a_whole = pod::named_condition(context, pod).or_else(|| readiness_gate::closed_gate(context, pod));
    // What is only said must not hide what can be helped.
    if let Some(finding) = as_a_whole.as_ref().filter(|finding| finding.over_threshold && finding.restart_may_help) {
        return vec![finding.clone()];
    }
    let mut found: Vec<Finding> = as_a_whole.into_iter().collect();
    found.extend(pod.containers.iter().filter_map(|container| of_container(context, pod, container)));
    if found.is_empty() {
        found.extend(startup::stalled(context, pod));
    }
    found
}

fn of_container(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> Option<Finding> {
    match container.role {
        Role::Init => startup::init(context, pod, container),
        Role::Sidecar | Role::Main => startup::blocked(context, pod, container).or_else(|| {
            // What lasts comes first: one old restart must not hide hours of unreadiness.
            let crash = crash::crash(context, pod, container);
            let unready = readiness::unready(context, pod, container);
            match (crash, unready) {
                (Some(crash), Some(unready)) if unready.over_threshold && !crash.over_threshold => Some(unready),
                (crash, unready) => crash.or(unready),
            }
        }),
    }
}

/// A StatefulSet waits for a broken pod of an old revision before it replaces it by a repaired one, for ever: here
/// replacing the pod helps whatever the cause, unless its node is gone.
fn stuck_on_old_revision(pods: &[Pod], finding: Finding) -> Finding {
    let is_old = pods.iter().any(|pod| pod.old_revision && Some(pod.uid.as_str()) == finding.place.uid());
    // Whoever holds a pod's gate closed would hold that of the next one closed too.
    let is_held_by_others = finding.cause == Cause::ReadinessGate && !finding.restart_may_help;
    if !(is_old && finding.over_threshold) || finding.cause == Cause::NodeLost || is_held_by_others {
        return finding;
    }
    let message = format!("stuck on an old revision: {}", finding.message);
    Finding { cause: Cause::Deadlocked, restart_may_help: true, message, ..finding }
}
