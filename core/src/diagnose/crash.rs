//! Crashes: restarts inside a window, and crash loops that last.

use std::fmt::Write as _;

use jiff::SignedDuration;

use super::{
    context::ContainerContext,
    evidence::{diagnosis_of, explained},
    readiness::has_just_started,
    termination,
};
use crate::model::{
    cause::Cause,
    finding::{Finding, Place},
    moment::{after, elapsed, humanize},
    snapshot::{Container, ContainerState, Pod, Termination},
    state::ContainerRecord,
};
use crate::observe::KUBELET_FORGETS;

/// Restarts inside the window, or a crash loop that lasts.
pub(super) fn crash(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> Option<Finding> {
    let record = context.observed.container(&pod.uid, &container.name).cloned().unwrap_or_default();
    let restarts = record.restarts_within(context.policy.restart_window, context.now());
    if let Some(&oldest) = record.restarts.first() {
        context.moment.wake_at(after(oldest, context.policy.restart_window));
    }
    let down = is_down(container) && !(record.came_with_boot(container) && record.crash_loop_since.is_none());
    if restarts == 0 && record.crash_loop_since.is_none() && !down {
        return None;
    }
    let charged = charged(context, &record);
    let threshold = context.policy.restart_threshold;
    // The kubelet has not forgotten them: it waits longer each time, so that ever fewer fall into any window.
    let relapses = down && record.relapses > threshold;
    let too_many = relapses || charged >= threshold as usize;
    let over_threshold =
        (too_many || has_looped(context, &record, container)) && !has_recovered(context, &record, container);
    let end = container.last_termination().cloned().unwrap_or_default();
    if context.policy.ignore_exit_codes.contains(&end.exit_code) && !over_threshold {
        return None;
    }
    let hook = record.failed_hook.as_ref().filter(|hook| hook.end == container.termination_number());
    let (cause, probe) = match hook {
        // The kubelet kills it for that, as it does for a probe.
        Some(_) => (Cause::CrashLoop, None),
        None => termination::cause(container, &end),
    };
    let since = record.restarts.first().copied().or(record.crash_loop_since).unwrap_or(context.now());
    let latest = record.restarts.last().copied().unwrap_or(since);
    let (how, said) = match hook {
        Some(hook) => ("was killed".to_owned(), format!(": PostStartHookError: {}", hook.message)),
        None => {
            let how = format!("{}{}", termination::describe(&end, cause), termination::after_hook(container, &end));
            (how, explained(container, &end.message))
        }
    };
    let mut message = format!("{} {how}{}{said}", container.name, times(restarts, elapsed(since, latest)));
    if relapses {
        let (count, time) = (record.relapses, humanize(KUBELET_FORGETS));
        let _ = write!(message, "; {count} ends in a row, each within {time} of its start");
    } else if !over_threshold && !too_many {
        message.push_str(&tolerated(context, charged));
    }
    let mut finding = Finding::new(Place::container_of(pod, container), cause, since, over_threshold, message);
    (finding.probe, finding.diagnosis) = (probe, diagnosis_of(container));
    // A start that goes on within its time may be the good one.
    let starts = context.starts().goes_on(pod, container)
        || (container.startup.is_some() && has_just_started(context, pod, container));
    finding.active_now = down || !(container.ready || starts);
    Some(finding)
}

fn is_down(container: &Container) -> bool {
    match &container.state {
        ContainerState::Waiting { .. } => {
            let made_up = container.last.as_ref().is_some_and(Termination::is_made_up);
            (container.is_in_back_off() && !made_up) || container.failed_hook().is_some()
        }
        ContainerState::Terminated(end) => end.exit_code != 0 && !end.is_made_up(),
        ContainerState::Running(_) | ContainerState::Unknown => false,
    }
}

/// Restarts that are this service's own fault.
fn charged(context: &ContainerContext<'_>, record: &ContainerRecord) -> usize {
    let released = context.dependency.released_at;
    record.restarts.iter().filter(|&&time| released.is_none_or(|released| time > released)).count()
}

/// The loop has lasted. It does not grow while the container runs and is ready.
fn has_looped(context: &ContainerContext<'_>, record: &ContainerRecord, container: &Container) -> bool {
    let Some(since) = record.crash_loop_since.map(|since| context.charged_from(since)) else { return false };
    match record.runs_since.filter(|_| container.ready) {
        Some(until) => elapsed(since, until) >= context.policy.crash_loop,
        None => context.moment.lasts(since, context.policy.crash_loop),
    }
}

/// Ready and running for the stabilization time: its past restarts say nothing about it any more.
fn has_recovered(context: &ContainerContext<'_>, record: &ContainerRecord, container: &Container) -> bool {
    let Some(since) = record.runs_since.filter(|_| container.ready) else { return false };
    context.moment.lasts(since, context.stabilization)
}

/// Why nothing is done about it yet.
fn tolerated(context: &ContainerContext<'_>, charged: usize) -> String {
    let (most, window) = (context.policy.restart_threshold, humanize(context.policy.restart_window));
    format!("; {charged} of {most} restarts allowed in {window}")
}

/// How often that happened, in which time.
fn times(restarts: u32, length: SignedDuration) -> String {
    let times = match restarts {
        0 => String::new(),
        1 => ", 1 restart".to_owned(),
        more => format!(", {more} restarts"),
    };
    let span = if length.is_zero() { String::new() } else { format!(" in {}", humanize(length)) };
    format!("{times}{span}")
}
