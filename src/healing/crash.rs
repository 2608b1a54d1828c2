//! Crashes: restarts inside a window, and crash loops that last.

use jiff::SignedDuration;

use super::{
    cause::{Cause, Finding},
    ending,
    look::{Look, about, explained, last_end},
    memory::ContainerMemory,
    readiness::{has_just_started, is_starting, running_since},
    restarts::{CRASH_LOOP_BACK_OFF, in_window},
    snapshot::{Container, ContainerState, Pod, Termination},
    time::{Wakeups, after, elapsed, spoken},
};

/// Restarts inside the window, or a crash loop that lasts.
pub fn crash(look: &Look<'_>, pod: &Pod, container: &Container, wakeups: &mut Wakeups) -> Option<Finding> {
    let entry = look.memory.container(&pod.uid, &container.name).cloned().unwrap_or_default();
    let restarts = in_window(&entry, look.policy.restart_window, look.now);
    if let Some(&oldest) = entry.restarts.first() {
        wakeups.at(after(oldest, look.policy.restart_window), look.now);
    }
    let down = is_down(container);
    if restarts == 0 && entry.crash_loop_since.is_none() && !down {
        return None;
    }
    let charged = charged(look, &entry);
    let too_many = charged >= look.policy.restart_threshold as usize;
    let lasting =
        (too_many || has_looped(look, &entry, container, wakeups)) && !has_recovered(look, container, wakeups);
    let end = last_end(container).cloned().unwrap_or_default();
    if look.policy.ignore_exit_codes.contains(&end.exit_code) && !lasting {
        return None;
    }
    let (cause, probe) = ending::cause(container, &end);
    let since = entry.restarts.first().copied().or(entry.crash_loop_since).unwrap_or(look.now);
    let latest = entry.restarts.last().copied().unwrap_or(since);
    let mut message = describe(container, &end, cause, restarts, elapsed(since, latest));
    if !lasting && !too_many {
        message.push_str(&tolerated(look, charged));
    }
    let mut finding = about(pod, container, cause, since, lasting, message);
    finding.probe = probe;
    // A start that goes on within its time may be the good one.
    let starts = is_starting(container, look.policy, wakeups, look.now)
        || (container.startup.is_some() && has_just_started(look, pod, container, wakeups));
    finding.acute = down || !(container.ready || starts);
    Some(finding)
}

fn is_down(container: &Container) -> bool {
    match &container.state {
        ContainerState::Waiting { reason, .. } => reason == CRASH_LOOP_BACK_OFF,
        ContainerState::Terminated(end) => end.exit_code != 0,
        ContainerState::Running(_) | ContainerState::Unknown => false,
    }
}

/// Restarts that are this service's own fault.
fn charged(look: &Look<'_>, entry: &ContainerMemory) -> usize {
    let released = look.memory.released_at;
    entry.restarts.iter().filter(|&&time| released.is_none_or(|released| time > released)).count()
}

/// The loop has lasted. It does not grow while the container runs and is ready.
fn has_looped(look: &Look<'_>, entry: &ContainerMemory, container: &Container, wakeups: &mut Wakeups) -> bool {
    let Some(since) = entry.crash_loop_since.map(|since| look.charged_from(since)) else { return false };
    match running_since(container, look.now).filter(|_| container.ready) {
        Some(until) => elapsed(since, until) >= look.policy.crash_loop,
        None => look.lasts(since, look.policy.crash_loop, wakeups),
    }
}

/// Ready and running for the stabilization time: its past restarts say nothing about it any more.
fn has_recovered(look: &Look<'_>, container: &Container, wakeups: &mut Wakeups) -> bool {
    let Some(since) = running_since(container, look.now).filter(|_| container.ready) else { return false };
    look.lasts(since, look.calm, wakeups)
}

/// Why nothing is done about it yet.
fn tolerated(look: &Look<'_>, charged: usize) -> String {
    let (most, window) = (look.policy.restart_threshold, spoken(look.policy.restart_window));
    format!("; {charged} of {most} restarts allowed in {window}")
}

fn describe(container: &Container, end: &Termination, cause: Cause, restarts: u32, length: SignedDuration) -> String {
    let how = ending::said(end, cause);
    let times = match restarts {
        0 => String::new(),
        1 => ", 1 restart".to_owned(),
        more => format!(", {more} restarts"),
    };
    let span = if length.is_zero() { String::new() } else { format!(" in {}", spoken(length)) };
    format!("{} {how}{times}{span}{}", container.name, explained(container, &end.message))
}
