//! Diagnosing: what is wrong with the workload and each pod, read from objects.
//!
//! Events name the probe of a finding that is there anyway and give it words; nothing here is found because of one. Owns which
//! findings are known.

mod context;
mod controller;
mod crash;
mod deletion;
mod ended;
mod evidence;
mod node;
mod pod;
mod readiness;
mod readiness_gate;
mod rejected;
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
        bounded::Bounded,
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
    state.observed.findings = oldest(&found);
    let pods = &inputs.snapshot.pods;
    let failing = state.attempts.failing_node();
    found.into_iter().map(|finding| on_failing_node(pods, failing, stuck_on_old_revision(pods, finding))).collect()
}

/// What is remembered of them.
fn oldest(found: &[Finding]) -> Bounded<KnownFinding, MAX_FINDINGS> {
    let mut found: Vec<&Finding> = found.iter().collect();
    found.sort_by_key(|finding| (finding.since, &finding.place));
    found.into_iter().take(MAX_FINDINGS).map(KnownFinding::from).collect()
}

/// In a stable order: what is over its threshold first, then by pod and container.
fn findings(context: &ContainerContext<'_>, workload: &Workload, pods: &[Pod]) -> Vec<Finding> {
    let Workload::Present(state) = workload else { return Vec::new() };
    let mut found: Vec<Finding> = controller::missing_pods(context, state, pods).into_iter().collect();
    found.extend(rejected::rejected(context, state, pods));
    for pod in pods {
        if pod.is_deleting() {
            let lost = || node::lost(context, pod).filter(|_| pod.cannot_go());
            found.extend(deletion::stuck_terminating(context, pod).or_else(lost));
        } else {
            found.extend(of_pod(context, state, pods, pod));
        }
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
    if let Some(finding) = node::lost(context, pod).or_else(|| pod::on_no_node(context, pod)) {
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
        Role::Init => startup::init(context, pod, container).or_else(|| node::restarted(context, pod, container)),
        Role::Sidecar | Role::Main => startup::blocked(context, pod, container).or_else(|| {
            let ended = ended::not_started_again(context, pod, container);
            let restarted = node::restarted(context, pod, container);
            let crash = crash::crash(context, pod, container);
            let unready = readiness::unready(context, pod, container);
            let mut found: Vec<Finding> = [ended, restarted, crash, unready].into_iter().flatten().collect();
            // What lasts comes first: one old restart must not hide hours of unreadiness.
            let first = found.iter().position(|finding| finding.over_threshold).unwrap_or(0);
            (!found.is_empty()).then(|| found.swap_remove(first))
        }),
    }
}

/// Where restarts help on other nodes and not on this one, the node is what a person should look at.
fn on_failing_node(pods: &[Pod], failing: Option<&str>, finding: Finding) -> Finding {
    let is_there = |node: &&str| pods.iter().any(|pod| finding.is_about(pod) && pod.node.as_deref() == Some(*node));
    let Some(node) = failing.filter(is_there) else { return finding };
    let message = format!("{}; restarts fail on node {node} and hold on others", finding.message);
    Finding { message, ..finding }
}

/// A StatefulSet waits for a broken pod of an old revision before it replaces it by a repaired one, for ever: here
/// replacing the pod helps whatever the cause, unless its node is gone.
fn stuck_on_old_revision(pods: &[Pod], finding: Finding) -> Finding {
    let is_old = pods.iter().any(|pod| pod.old_revision && Some(pod.uid.as_str()) == finding.place.uid());
    let of_node = matches!(finding.cause, Cause::NodeLost | Cause::NodeDraining);
    // Whoever holds a pod's gate closed would hold that of the next one closed too.
    let is_held_by_others = of_node || (finding.cause == Cause::ReadinessGate && !finding.restart_may_help);
    if !(is_old && finding.over_threshold) || is_held_by_others {
        return finding;
    }
    let message = format!("stuck on an old revision: {}", finding.message);
    Finding { cause: Cause::Deadlocked, restart_may_help: true, message, ..finding }
}
