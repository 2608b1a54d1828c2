//! Endings: how a container ended, and which probe was behind it.
//!
//! The API holds no outcome of a single probe. The kubelet's Event of that end settles it where one was seen; else what was
//! seen of the container before, how long it ran and how it ended have to do. Must not count and must not find: it names.

use jiff::SignedDuration;

use super::{
    cause::{Cause, Probe},
    memory::{During, Ended},
    snapshot::{Container, ContainerState, Patience, Termination},
    time::elapsed,
};

/// An Event this near to the end of a container speaks of that end.
const EVENT_NEAR: SignedDuration = SignedDuration::from_secs(120);
/// What a process usually gets to end by itself, on top of the probe's patience.
const TERMINATION_GRACE: SignedDuration = SignedDuration::from_secs(30);
/// The API keeps whole seconds: a run may have been this much longer than its two ends say.
const ROUNDING: SignedDuration = SignedDuration::from_secs(2);
const SIGKILL: i32 = 137;
const SIGTERM: i32 = 143;

/// The how many-th end of the container is its latest; 0 while it runs for the first time.
pub fn number(container: &Container) -> u32 {
    let ended_again = match &container.state {
        ContainerState::Terminated(_) => true,
        // Between two runs, the count of which grows with the next start.
        ContainerState::Waiting { .. } => container.last.is_some(),
        ContainerState::Running(_) | ContainerState::Unknown => false,
    };
    container.restart_count.saturating_add(u32::from(ended_again))
}

/// The cause that an end speaks of, and the probe behind it.
pub fn cause(
    container: &Container,
    end: &Termination,
    before: Option<Ended>,
    known: Option<Cause>,
) -> (Cause, Option<Probe>) {
    const STARTUP: (Cause, Option<Probe>) = (Cause::StartupFailed, Some(Probe::Startup));
    const LIVENESS: (Cause, Option<Probe>) = (Cause::LivenessFailed, Some(Probe::Liveness));
    if end.reason == "OOMKilled" {
        return (Cause::OOMKilled, None);
    }
    if lost_sight(end) {
        return (Cause::CrashLoop, None);
    }
    match told(container, end) {
        Some(Probe::Startup) => return STARTUP,
        Some(Probe::Liveness) => return LIVENESS,
        Some(Probe::Readiness) | None => {}
    }
    let during = before.filter(|ended| ended.number == number(container)).map(|ended| ended.during);
    match (during, container.startup) {
        (Some(During::Startup), Some(_)) => return STARTUP,
        (None, Some(startup)) if is_killed(end) && ended_while_starting(container, end, startup) => return STARTUP,
        (Some(During::Startup | During::Unreadiness) | None, _) => {}
    }
    // The kubelet stops sending Events about a pod that causes many: what the first ones said still holds.
    if is_killed(end) || end.exit_code == 0 {
        match known {
            Some(Cause::StartupFailed) => return STARTUP,
            Some(Cause::LivenessFailed) => return LIVENESS,
            _ => {}
        }
    }
    match container.liveness {
        Some(liveness) if looks_stopped(end, during) && outlived(end, liveness.least) => LIVENESS,
        Some(_) | None => (Cause::CrashLoop, None),
    }
}

/// How it ended, in words.
pub fn said(end: &Termination, cause: Cause) -> String {
    match (cause, end.exit_code) {
        (Cause::OOMKilled, _) => "ran out of memory".to_owned(),
        (Cause::LivenessFailed, _) => "was killed by its liveness probe".to_owned(),
        (Cause::StartupFailed, 0 | SIGKILL | SIGTERM) => "did not start in time for its startup probe".to_owned(),
        (Cause::StartupFailed, code) => format!("exited {code} before it had started"),
        (_, SIGKILL) => format!("exited {SIGKILL} (SIGKILL)"),
        (_, SIGTERM) => format!("exited {SIGTERM} (SIGTERM)"),
        (_, code) => format!("exited {code}"),
    }
}

/// The node restarted or lost the container: the code is made up.
fn lost_sight(end: &Termination) -> bool {
    matches!(end.reason.as_str(), "ContainerStatusUnknown" | "Unknown")
}

/// The probe that an Event named for this end. A process that handles SIGTERM may exit with any code.
fn told(container: &Container, end: &Termination) -> Option<Probe> {
    let (probe, seen) = container.probe_event?;
    let speaks_of_it = match (seen, end.finished) {
        (Some(seen), Some(finished)) => seen.duration_since(finished).abs() <= EVENT_NEAR,
        (None, _) | (_, None) => is_killed(end),
    };
    speaks_of_it.then_some(probe)
}

fn is_killed(end: &Termination) -> bool {
    matches!(end.exit_code, SIGKILL | SIGTERM)
}

/// SIGKILL follows on a SIGTERM that was not heeded: that is how the kubelet stops a container. SIGTERM alone anybody can
/// send, so the container must have been unwell before.
fn looks_stopped(end: &Termination, during: Option<During>) -> bool {
    end.exit_code == SIGKILL || (end.exit_code == SIGTERM && during == Some(During::Unreadiness))
}

/// It ran for so long that the kubelet may have lost its patience; a run of unknown length may.
fn outlived(end: &Termination, least: SignedDuration) -> bool {
    end.started.zip(end.finished).is_none_or(|(from, to)| elapsed(from, to).saturating_add(ROUNDING) >= least)
}

fn ended_while_starting(container: &Container, end: &Termination, startup: Patience) -> bool {
    match end.started.zip(end.finished) {
        Some((from, to)) => {
            let at_most = startup.most.saturating_add(TERMINATION_GRACE);
            outlived(end, startup.least) && elapsed(from, to) <= at_most
        }
        None => !container.started,
    }
}
