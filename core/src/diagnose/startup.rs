//! Starts that do not come about: images, references, init containers, and pods that wait and nobody says for what.
//!
//! A new pod would meet the same world, so nothing here is ever helped by a restart. Everything is said at once and counts
//! when it lasts: an image registry has hiccups, a Secret may come a moment after the pod that wants it.

use jiff::SignedDuration;

use super::{
    context::ContainerContext,
    evidence::{diagnosis_of, explained},
};
use crate::model::{
    cause::Cause,
    finding::{Finding, Place},
    moment::humanize,
    snapshot::{Container, ContainerState, Pod, Role, SandboxNeed, SandboxTrouble, Termination},
};
use crate::observe::initializes;

/// Waiting reasons that a restart cannot change.
pub(super) fn blocked(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> Option<Finding> {
    let (reason, message) = obstacle(container)?;
    let cause = cannot_be_helped(reason, message)?;
    let text = format!("{reason}{}", explained(container, message));
    Some(finding(context, pod, container, cause, text))
}

/// The cause behind a reason to wait, with the message that comes with it, where no restart changes it.
pub fn cannot_be_helped(reason: &str, message: &str) -> Option<Cause> {
    match reason {
        "CreateContainerError" | "RunContainerError" | "StartError" | "ContainerCannotRun"
            if is_of_the_runtime(message) =>
        {
            Some(Cause::RuntimeError)
        }
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable"
        | "ImageInspectError"
        | "SignatureValidationFailed" => Some(Cause::ImagePull),
        "CreateContainerConfigError"
        | "CreateContainerError"
        | "PreCreateHookError"
        | "PreStartHookError"
        | "RunContainerError"
        | "StartError"
        | "ContainerCannotRun" => Some(Cause::ConfigError),
        _ => None,
    }
}

/// The container could not be created whatever was asked for: containerd and CRI-O say so when they are slow, when the
/// container before this one is still in the way, when they stop, and when their disk is full.
fn is_of_the_runtime(message: &str) -> bool {
    const SAID: [&str; 5] = [
        "context deadline exceeded",
        "is reserved",
        "is already in use",
        "transport is closing",
        "no space left on device",
    ];
    SAID.iter().any(|said| message.contains(said))
}

/// What the container waits for. One whose process cannot be started at all is tried again and again like one that crashes;
/// how it ended tells them apart.
pub fn obstacle(container: &Container) -> Option<(&str, &str)> {
    let end = match &container.state {
        ContainerState::Waiting { .. } if container.is_in_back_off() => container.last.as_ref()?,
        ContainerState::Waiting { reason, message } => return Some((reason, message)),
        ContainerState::Terminated(end) => end,
        ContainerState::Running(_) | ContainerState::Unknown => return None,
    };
    end.never_ran().then_some((&end.reason, &end.message))
}

/// An init container that fails keeps the pod from starting.
pub(super) fn init(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> Option<Finding> {
    if let Some(finding) = blocked(context, pod, container) {
        return Some(finding);
    }
    let own = Some(container).filter(|container| !context.observed.ended_with_node(&pod.uid, container));
    let message = own.and_then(init_failure)?;
    Some(finding(context, pod, container, Cause::InitFailed, message))
}

/// How an init container failed, as a sentence, until it has succeeded.
pub fn init_failure(container: &Container) -> Option<String> {
    let tries_again = match &container.state {
        ContainerState::Running(_) => container.restart_count > 0,
        ContainerState::Waiting { .. } => container.is_in_back_off(),
        ContainerState::Terminated(_) => true,
        ContainerState::Unknown => false,
    };
    // It runs once more after each restart of the node, however well it had ended.
    let failed = |end: &&Termination| end.exit_code != 0 && !end.is_made_up();
    let end = container.last_termination().filter(failed).filter(|_| tries_again)?;
    let said = explained(container, &end.message);
    Some(format!("init container {} exited {}{said}", container.name, end.exit_code))
}

/// A pod that initializes for longer than it may take to start, and none of its containers says why.
pub(super) fn stalled(context: &ContainerContext<'_>, pod: &Pod) -> Option<Finding> {
    let since = context.observed.pod(&pod.uid).and_then(|record| record.pending_since)?;
    let awaited = what_it_waits_for(pod);
    if !initializes(pod) || !context.moment.lasts(since, patience(context, awaited)) {
        return None;
    }
    let lasted = humanize(context.moment.elapsed(since));
    let (place, cause, message) = match awaited {
        Some(init) if init.role == Role::Init && !waits(init) => {
            let message = format!("init container {} has not ended", init.name);
            (Place::container_of(pod, init), Cause::InitFailed, message)
        }
        Some(sidecar) if sidecar.role == Role::Sidecar && !waits(sidecar) => {
            let message = format!("{} runs and has not started, which the others wait for", sidecar.name);
            (Place::container_of(pod, sidecar), Cause::InitFailed, message)
        }
        Some(one) => {
            let (cause, what) = not_created(pod);
            (Place::container_of(pod, one), cause, format!("{} has not been created: {what}", one.name))
        }
        None => (Place::pod(pod), Cause::Unschedulable, "no node has been chosen".to_owned()),
    };
    let message = format!("{message} since {since:.0}, for more than {lasted}");
    Some(Finding::new(place, cause, since, true, message))
}

/// Why no container of a pod has been created, as far as that is known. An Event gives the words, and with them a name.
fn not_created(pod: &Pod) -> (Cause, String) {
    let guess = match pod.sandbox_trouble() {
        Some(SandboxTrouble { about, words }) => {
            let cause = match about {
                SandboxNeed::Volume => Cause::ConfigError,
                SandboxNeed::Runtime => Cause::RuntimeError,
            };
            return (cause, format!("it has no sandbox: {words}"));
        }
        None if pod.no_sandbox => {
            "it has no sandbox yet: a volume (of a Secret or ConfigMap, too) or the network of its node may be in the way"
        }
        None => "it may wait for a volume, a Secret, a ConfigMap, the network or a large image",
    };
    (Cause::ConfigError, guess.to_owned())
}

/// How long a step of a start may take.
fn patience(context: &ContainerContext<'_>, awaited: Option<&Container>) -> SignedDuration {
    let any = context.policy.not_ready.max(context.policy.startup_grace);
    let sidecar = awaited.filter(|container| container.role == Role::Sidecar && !waits(container));
    sidecar.map_or(any, |sidecar| any.max(context.starts().allowance(sidecar)))
}

/// The first container that has not done its part.
fn what_it_waits_for(pod: &Pod) -> Option<&Container> {
    let is_done = |container: &Container| match container.role {
        Role::Init => matches!(&container.state, ContainerState::Terminated(end) if end.exit_code == 0),
        // Those after it wait for its startup probe.
        Role::Sidecar => container.started,
        Role::Main => matches!(container.state, ContainerState::Running(_)),
    };
    pod.containers.iter().find(|container| !is_done(container))
}

fn waits(container: &Container) -> bool {
    matches!(container.state, ContainerState::Waiting { .. } | ContainerState::Unknown)
}

fn finding(context: &ContainerContext<'_>, pod: &Pod, container: &Container, cause: Cause, message: String) -> Finding {
    let place = Place::container_of(pod, container);
    let since = context.known_since(&place, cause);
    let over_threshold = context.moment.lasts(since, context.policy.not_ready);
    Finding { diagnosis: diagnosis_of(container), ..Finding::new(place, cause, since, over_threshold, message) }
}
