//! Findings: what is wrong with each pod, read from objects.
//!
//! Events name the probe of a finding that is there anyway; nothing here is found because of one.

use super::{
    cause::{Cause, Finding},
    crash::crash,
    look::{Look, about, last_end, quoted},
    readiness::unready,
    restarts::CRASH_LOOP_BACK_OFF,
    snapshot::{Container, ContainerState, Phase, Pod, Readiness, Role, Workload, WorkloadKind},
    time::Wakeups,
};

/// All findings about the pods, in a stable order: by pod, then container.
pub fn findings(look: &Look<'_>, workload: &Workload, pods: &[Pod], wakeups: &mut Wakeups) -> Vec<Finding> {
    let bare = matches!(workload, Workload::Present(state) if state.kind == WorkloadKind::Pod);
    let mut found: Vec<Finding> = Vec::new();
    for pod in pods.iter().filter(|pod| !pod.deleting) {
        match whole_pod(look, pod, bare, wakeups) {
            Some(finding) => found.push(finding),
            None => {
                let of_containers = pod.containers.iter().filter_map(|container| one(look, pod, container, wakeups));
                found.extend(of_containers.map(|finding| stuck_on_old_revision(pod, finding)));
            }
        }
    }
    for finding in &mut found {
        // What was found before began then: `since` must not move with every look.
        let known = look.memory.findings.iter().find(|known| known.same_as(finding));
        finding.since = known.map_or(finding.since, |known| known.since.min(look.now));
    }
    found.sort_by(|a, b| (&a.pod, &a.container).cmp(&(&b.pod, &b.container)));
    found
}

fn one(look: &Look<'_>, pod: &Pod, container: &Container, wakeups: &mut Wakeups) -> Option<Finding> {
    match container.role {
        Role::Init => init(look, pod, container),
        Role::Sidecar | Role::Main => blocked_start(look, pod, container).or_else(|| {
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
/// replacing the pod helps whatever the cause.
fn stuck_on_old_revision(pod: &Pod, finding: Finding) -> Finding {
    if !(pod.old_revision && finding.lasting) {
        return finding;
    }
    let message = format!("stuck on an old revision: {}", finding.message);
    Finding { cause: Cause::Deadlocked, message, ..finding }
}

/// What concerns the pod as a whole and makes a look at its containers pointless.
fn whole_pod(look: &Look<'_>, pod: &Pod, bare: bool, wakeups: &mut Wakeups) -> Option<Finding> {
    let finding = |cause, lasting, message: String| {
        Some(Finding {
            pod: pod.name.clone(),
            uid: pod.uid.clone(),
            container: String::new(),
            probe: None,
            cause,
            diagnosis: None,
            since: look.now,
            lasting,
            acute: true,
            message,
        })
    };
    if node_lost(pod) {
        return finding(Cause::NodeLost, true, "its node does not answer; the containers may be well".into());
    }
    if let Some(message) = &pod.unschedulable {
        return finding(Cause::Unschedulable, true, message.clone());
    }
    if pod.phase == Phase::Failed {
        let why = pod.reason.as_deref().unwrap_or("its containers ended badly");
        // A controller replaces its failed pods by itself; only a bare pod stays down.
        return finding(Cause::Deadlocked, bare, format!("the pod failed: {why}"));
    }
    for named in &look.policy.pod_conditions {
        let Some((_, _, since)) =
            pod.conditions.iter().find(|(kind, status, _)| *kind == named.kind && *status == named.status)
        else {
            continue;
        };
        if look.lasts(since.unwrap_or(look.now).min(look.now), named.lasting, wakeups) {
            return finding(Cause::PodCondition, true, format!("condition {} is {}", named.kind, named.status));
        }
    }
    let gate_since = look.memory.container(&pod.uid, "").and_then(|entry| entry.not_ready_since)?;
    let lasting = look.lasts(look.charged_from(gate_since), look.policy.not_ready, wakeups);
    let reason = match &pod.ready {
        Readiness::NotReady(Some(reason)) => reason.as_str(),
        Readiness::NotReady(None) | Readiness::Ready(_) | Readiness::Unknown => "not ready",
    };
    let message = format!("all containers are ready but the pod is not ({reason}) since {gate_since:.0}");
    finding(Cause::ReadinessFailed, lasting, message).map(|found| Finding { since: gate_since, ..found })
}

/// A lost node turns `Ready` False without a reason while every container stays ready, as recorded in `node-lost`.
pub fn node_lost(pod: &Pod) -> bool {
    let silent = matches!(&pod.ready, Readiness::NotReady(None)) && pod.phase == Phase::Running;
    let all_ready = pod.containers.iter().all(|container| container.role == Role::Init || container.ready);
    (silent && all_ready && !pod.containers.is_empty())
        || pod.reason.as_deref() == Some("NodeLost")
        || (matches!(pod.ready, Readiness::Unknown) && pod.phase == Phase::Unknown)
}

/// Waiting reasons that a restart cannot change. Seen at once: nothing is done about them anyway.
fn blocked_start(look: &Look<'_>, pod: &Pod, container: &Container) -> Option<Finding> {
    let ContainerState::Waiting { reason, message } = &container.state else { return None };
    let cause = match reason.as_str() {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable"
        | "ImageInspectError"
        | "SignatureValidationFailed" => Cause::ImagePull,
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Cause::ConfigError,
        _ => return None,
    };
    let text = if message.is_empty() { reason.clone() } else { format!("{reason}: {message}") };
    Some(about(pod, container, cause, look.now, true, text))
}

/// An init container that fails keeps the pod from starting: a new pod would meet the same world.
fn init(look: &Look<'_>, pod: &Pod, container: &Container) -> Option<Finding> {
    if let Some(finding) = blocked_start(look, pod, container) {
        return Some(finding);
    }
    let failed_now = matches!(&container.state, ContainerState::Terminated(end) if end.exit_code != 0);
    let looping = matches!(&container.state, ContainerState::Waiting { reason, .. } if reason == CRASH_LOOP_BACK_OFF);
    let retrying = container.restart_count > 0 && matches!(container.state, ContainerState::Running(_));
    if !(failed_now || looping || retrying) {
        return None;
    }
    let end = last_end(container)?;
    let entry = look.memory.container(&pod.uid, &container.name);
    let since = entry.and_then(|entry| entry.restarts.first().copied().or(entry.crash_loop_since)).unwrap_or(look.now);
    let message = format!("init container {} exited {}{}", container.name, end.exit_code, quoted(&end.message));
    Some(about(pod, container, Cause::InitFailed, since, true, message))
}
