//! Starts that do not come about: images, references, init containers, and pods that wait and nobody says for what.
//!
//! A new pod would meet the same world, so nothing here is ever helped by a restart. Everything is said at once and counts
//! when it lasts: an image registry has hiccups, a Secret may come a moment after the pod that wants it.

use jiff::Timestamp;

use super::{
    cause::{Cause, Finding},
    look::{Look, about, explained, last_end},
    restarts::CRASH_LOOP_BACK_OFF,
    snapshot::{Container, ContainerState, Phase, Pod, Role},
    time::{Wakeups, elapsed, spoken},
};

/// Waiting reasons that a restart cannot change.
pub fn blocked(look: &Look<'_>, pod: &Pod, container: &Container, wakeups: &mut Wakeups) -> Option<Finding> {
    let (reason, message) = obstacle(container)?;
    let cause = cannot_be_helped(reason)?;
    let text = format!("{reason}{}", explained(container, message));
    Some(lasting(look, pod, container, cause, text, wakeups))
}

/// The cause behind a reason to wait that no restart changes.
pub fn cannot_be_helped(reason: &str) -> Option<Cause> {
    match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable"
        | "ImageInspectError"
        | "SignatureValidationFailed" => Some(Cause::ImagePull),
        "CreateContainerConfigError"
        | "CreateContainerError"
        | "RunContainerError"
        | "StartError"
        | "ContainerCannotRun" => Some(Cause::ConfigError),
        _ => None,
    }
}

/// What the container waits for. One whose process cannot be started at all is tried again and again like one that crashes;
/// how it ended tells them apart.
pub fn obstacle(container: &Container) -> Option<(&str, &str)> {
    let end = match &container.state {
        ContainerState::Waiting { reason, .. } if reason == CRASH_LOOP_BACK_OFF => container.last.as_ref()?,
        ContainerState::Waiting { reason, message } => return Some((reason, message)),
        ContainerState::Terminated(end) => end,
        ContainerState::Running(_) | ContainerState::Unknown => return None,
    };
    end.never_ran().then_some((&end.reason, &end.message))
}

/// An init container that fails keeps the pod from starting.
pub fn init(look: &Look<'_>, pod: &Pod, container: &Container, wakeups: &mut Wakeups) -> Option<Finding> {
    if let Some(finding) = blocked(look, pod, container, wakeups) {
        return Some(finding);
    }
    let message = init_failure(container)?;
    Some(lasting(look, pod, container, Cause::InitFailed, message, wakeups))
}

/// How an init container failed, as a sentence, until it has succeeded.
pub fn init_failure(container: &Container) -> Option<String> {
    let failed_now = matches!(&container.state, ContainerState::Terminated(end) if end.exit_code != 0);
    let looping = matches!(&container.state, ContainerState::Waiting { reason, .. } if reason == CRASH_LOOP_BACK_OFF);
    let retrying = container.restart_count > 0 && matches!(container.state, ContainerState::Running(_));
    let end = last_end(container).filter(|_| failed_now || looping || retrying)?;
    let said = explained(container, &end.message);
    Some(format!("init container {} exited {}{said}", container.name, end.exit_code))
}

/// A pod that is pending for longer than it may take to start, and none of its containers says why.
pub fn stalled(look: &Look<'_>, pod: &Pod, wakeups: &mut Wakeups) -> Option<Finding> {
    let pending = look.memory.container(&pod.uid, "").and_then(|entry| entry.pending_since)?;
    // Each init container that has done its part begins the time anew.
    let since = pod.containers.iter().filter_map(ended_well).fold(pending, Timestamp::max).min(look.now);
    if pod.phase != Phase::Pending || !look.lasts(since, look.policy.not_ready.max(look.policy.startup_grace), wakeups)
    {
        return None;
    }
    let lasted = spoken(elapsed(since, look.now));
    let (container, cause, message) = match what_it_waits_for(pod) {
        Some(init) if init.role == Role::Init && !waits(init) => {
            (init.name.as_str(), Cause::InitFailed, format!("init container {} has not ended", init.name))
        }
        Some(one) => {
            let what = "it may wait for a volume, a Secret, a ConfigMap, the network or a large image";
            (one.name.as_str(), Cause::ConfigError, format!("{} has not been created: {what}", one.name))
        }
        None => ("", Cause::Unschedulable, "no node has been chosen".to_owned()),
    };
    Some(Finding {
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        container: container.to_owned(),
        probe: None,
        cause,
        diagnosis: None,
        since,
        lasting: true,
        acute: true,
        message: format!("{message} since {since:.0}, for more than {lasted}"),
    })
}

fn ended_well(container: &Container) -> Option<Timestamp> {
    match &container.state {
        ContainerState::Terminated(end) if end.exit_code == 0 => end.finished,
        ContainerState::Terminated(_)
        | ContainerState::Waiting { .. }
        | ContainerState::Running(_)
        | ContainerState::Unknown => None,
    }
}

/// The first container that has not done its part.
fn what_it_waits_for(pod: &Pod) -> Option<&Container> {
    let is_done = |container: &Container| match container.role {
        Role::Init => matches!(&container.state, ContainerState::Terminated(end) if end.exit_code == 0),
        Role::Sidecar | Role::Main => matches!(container.state, ContainerState::Running(_)),
    };
    pod.containers.iter().find(|container| !is_done(container))
}

fn waits(container: &Container) -> bool {
    matches!(container.state, ContainerState::Waiting { .. } | ContainerState::Unknown)
}

fn lasting(
    look: &Look<'_>,
    pod: &Pod,
    container: &Container,
    cause: Cause,
    message: String,
    wakeups: &mut Wakeups,
) -> Finding {
    let since: Timestamp = look.known_since(&pod.uid, &container.name, cause);
    let lasts = look.lasts(since, look.policy.not_ready, wakeups);
    about(pod, container, cause, since, lasts, message)
}
