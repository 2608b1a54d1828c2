//! Findings: what is wrong with each pod, read from objects.
//!
//! Events name the probe of a finding that is there anyway; nothing here is found because of one.

use jiff::Timestamp;

use super::{
    cause::{Cause, Finding},
    crash::crash,
    look::Look,
    readiness::{first_sign, unready},
    replicas,
    snapshot::{Container, Phase, Pod, Readiness, Role, Workload, WorkloadKind, WorkloadState},
    start,
    time::Wakeups,
};

/// All findings about the workload and its pods, in a stable order: what lasts first, then by pod and container.
pub fn findings(look: &Look<'_>, workload: &Workload, pods: &[Pod], wakeups: &mut Wakeups) -> Vec<Finding> {
    let Workload::Present(state) = workload else { return Vec::new() };
    let mut found: Vec<Finding> = replicas::missing(look, state, pods, wakeups).into_iter().collect();
    for pod in pods.iter().filter(|pod| !pod.deleting) {
        let of_pod = of_pod(look, state, pods, pod, wakeups);
        found.extend(of_pod.into_iter().map(|finding| stuck_on_old_revision(pod, finding)));
    }
    for finding in &mut found {
        // What was found before began then: `since` must not move with every look.
        let known = look.memory.findings.iter().find(|known| known.same_as(finding));
        finding.since = known.map_or(finding.since, |known| known.since.min(look.now));
    }
    found.sort_by(|a, b| (!a.lasting, &a.pod, &a.container).cmp(&(!b.lasting, &b.pod, &b.container)));
    found
}

fn of_pod(look: &Look<'_>, state: &WorkloadState, pods: &[Pod], pod: &Pod, wakeups: &mut Wakeups) -> Vec<Finding> {
    if let Some(finding) = out_of_reach(look, pod, wakeups) {
        return vec![finding];
    }
    if pod.phase == Phase::Failed {
        return failed(look, state, pods, pod, wakeups).into_iter().collect();
    }
    let as_a_whole = named_condition(look, pod, wakeups).or_else(|| closed_gate(look, pod, wakeups));
    if let Some(finding) = as_a_whole.as_ref().filter(|finding| finding.lasting) {
        return vec![finding.clone()];
    }
    let mut found: Vec<Finding> = as_a_whole.into_iter().collect();
    found.extend(pod.containers.iter().filter_map(|container| one(look, pod, container, wakeups)));
    if found.is_empty() {
        found.extend(start::stalled(look, pod, wakeups));
    }
    found
}

fn one(look: &Look<'_>, pod: &Pod, container: &Container, wakeups: &mut Wakeups) -> Option<Finding> {
    match container.role {
        Role::Init => start::init(look, pod, container, wakeups),
        Role::Sidecar | Role::Main => start::blocked(look, pod, container, wakeups).or_else(|| {
            // What lasts comes first: one old restart must not hide hours of unreadiness.
            let crash = crash(look, pod, container, wakeups);
            let unready = unready(look, pod, container, wakeups);
            match (crash, unready) {
                (Some(crash), Some(unready)) if unready.lasting && !crash.lasting => Some(unready),
                (crash, unready) => crash.or(unready),
            }
        }),
    }
}

/// A StatefulSet waits for a broken pod of an old revision before it replaces it by a repaired one, for ever: here
/// replacing the pod helps whatever the cause, unless its node is gone.
fn stuck_on_old_revision(pod: &Pod, finding: Finding) -> Finding {
    if !(pod.old_revision && finding.lasting) || finding.cause == Cause::NodeLost {
        return finding;
    }
    let message = format!("stuck on an old revision: {}", finding.message);
    Finding { cause: Cause::Deadlocked, message, ..finding }
}

/// A finding about the pod as a whole.
fn whole(pod: &Pod, cause: Cause, since: Timestamp, lasting: bool, message: String) -> Finding {
    Finding {
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        container: String::new(),
        probe: None,
        cause,
        diagnosis: None,
        since,
        lasting,
        acute: true,
        message,
    }
}

/// On a node that does not answer, or on none: a look at its containers is pointless.
fn out_of_reach(look: &Look<'_>, pod: &Pod, wakeups: &mut Wakeups) -> Option<Finding> {
    if node_lost(pod) {
        let message = "its node does not answer; the containers may be well".to_owned();
        return Some(whole(pod, Cause::NodeLost, look.now, true, message));
    }
    let message = pod.unschedulable.clone()?;
    // A node may be on its way.
    let since = look.known_since(&pod.uid, "", Cause::Unschedulable);
    let lasting = look.lasts(since, look.policy.not_ready, wakeups);
    Some(whole(pod, Cause::Unschedulable, since, lasting, message))
}

/// A failed pod stays as it is. Its controller makes another one; a bare pod has none.
fn failed(look: &Look<'_>, state: &WorkloadState, pods: &[Pod], pod: &Pod, wakeups: &mut Wakeups) -> Option<Finding> {
    if state.kind != WorkloadKind::Pod && replicas::living(pods) >= state.desired {
        return None;
    }
    let why = pod.reason.as_deref().unwrap_or("its containers ended badly");
    let since = look.known_since(&pod.uid, "", Cause::Deadlocked);
    let lasting = match state.kind {
        WorkloadKind::Pod => true,
        // They replace it under its own name, and cannot before it is gone.
        WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => look.lasts(since, look.policy.not_ready, wakeups),
        WorkloadKind::Deployment => false,
    };
    Some(whole(pod, Cause::Deadlocked, since, lasting, format!("the pod failed: {why}")))
}

/// A condition that the policy names. Its writer's clock may be wrong: it can make a finding younger, never older than we
/// have known it.
fn named_condition(look: &Look<'_>, pod: &Pod, wakeups: &mut Wakeups) -> Option<Finding> {
    let known = look.known_since(&pod.uid, "", Cause::PodCondition);
    let found = look.policy.pod_conditions.iter().filter_map(|named| {
        let is_named =
            |(kind, status, _): &&(String, String, Option<Timestamp>)| *kind == named.kind && *status == named.status;
        let (_, _, changed) = pod.conditions.iter().find(is_named)?;
        let since = changed.map_or(known, |changed| known.max(changed.min(look.now)));
        let lasting = look.lasts(look.charged_from(since), named.lasting, wakeups);
        let message = format!("condition {} is {}", named.kind, named.status);
        Some(whole(pod, Cause::PodCondition, since, lasting, message))
    });
    found.max_by_key(|finding| finding.lasting)
}

/// All containers are ready and the pod is not: a readiness gate is closed.
fn closed_gate(look: &Look<'_>, pod: &Pod, wakeups: &mut Wakeups) -> Option<Finding> {
    let since = look.memory.container(&pod.uid, "").and_then(|entry| entry.not_ready_since)?;
    let counted = look.charged_from(since);
    let lasting = look.lasts(counted, look.policy.not_ready, wakeups);
    if !look.lasts(counted, first_sign(look.policy), wakeups) {
        return None;
    }
    let reason = match &pod.ready {
        Readiness::NotReady(Some(reason)) => reason.as_str(),
        Readiness::NotReady(None) | Readiness::Ready(_) | Readiness::Unknown => "not ready",
    };
    let message = format!("all containers are ready but the pod is not ({reason}) since {since:.0}");
    Some(whole(pod, Cause::ReadinessFailed, since, lasting, message))
}

/// A lost node turns `Ready` False without a reason while every container stays ready, as recorded in `node-lost`.
pub fn node_lost(pod: &Pod) -> bool {
    let silent = matches!(&pod.ready, Readiness::NotReady(None)) && pod.phase == Phase::Running;
    let all_ready = pod.containers.iter().all(|container| container.role == Role::Init || container.ready);
    (silent && all_ready && !pod.containers.is_empty())
        || pod.reason.as_deref() == Some("NodeLost")
        || (matches!(pod.ready, Readiness::Unknown) && pod.phase == Phase::Unknown)
}
