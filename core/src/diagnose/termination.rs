//! Terminations: how a container ended, and which probe was behind it.
//!
//! The API holds no outcome of a single probe. The kubelet's Event of that end settles it where one was seen; else how long it
//! ran and how it ended have to do. What it was seen doing before does not count: an end must be named the same by who saw
//! every moment and by who saw it only afterwards. Must not count and must not find: it names.

use jiff::SignedDuration;

use crate::model::{
    cause::{Cause, Probe},
    moment::{after, before, elapsed},
    snapshot::{Container, Patience, Termination},
};

/// An Event of the same run, this near to its end, speaks of that end.
const EVENT_NEAR: SignedDuration = SignedDuration::from_secs(120);
/// The API server keeps an Event for so long: who began to watch just now has seen none that is older.
const EVENT_KEPT: SignedDuration = SignedDuration::from_secs(3600);
/// What a process usually gets to end by itself, on top of the probe's patience.
const TERMINATION_GRACE: SignedDuration = SignedDuration::from_secs(30);
/// The API keeps whole seconds: a run may have been this much longer than its two ends say.
const ROUNDING: SignedDuration = SignedDuration::from_secs(2);
const SIGKILL: i32 = 137;
const SIGTERM: i32 = 143;

/// The cause that an end speaks of, and the probe behind it.
pub(super) fn cause(container: &Container, end: &Termination) -> (Cause, Option<Probe>) {
    if end.reason == "OOMKilled" {
        return (Cause::OOMKilled, None);
    }
    if end.is_made_up() {
        return (Cause::CrashLoop, None);
    }
    let probe = named_by_event(container, end)
        .or_else(|| given_away_by_its_run(container, end))
        .or_else(|| named_before(container, end));
    match probe {
        Some(Probe::Startup) => (Cause::StartupFailed, probe),
        Some(Probe::Liveness) => (Cause::LivenessFailed, probe),
        // What exits by itself has crashed, whatever it was doing at that moment.
        Some(Probe::Readiness) | None => (Cause::CrashLoop, None),
    }
}

/// How it ended, in words.
pub(super) fn describe(end: &Termination, cause: Cause) -> String {
    match (cause, end.exit_code) {
        (Cause::OOMKilled, _) => "ran out of memory".to_owned(),
        (Cause::LivenessFailed, _) => "was killed by its liveness probe".to_owned(),
        (Cause::StartupFailed, _) => "did not start in time for its startup probe".to_owned(),
        (_, code) => format!("exited {code}{}", in_words(code)),
    }
}

/// Whether its `preStop` hook failed in the run that ended so, in words. The kubelet runs the hook once in a run, before it ends
/// it; the run after it begins later.
pub(super) fn after_hook(container: &Container, end: &Termination) -> &'static str {
    let in_this_run = container
        .failed_pre_stop
        .zip(end.started)
        .zip(end.finished)
        .is_some_and(|((failed, started), finished)| failed > started && failed <= after(finished, ROUNDING));
    if in_this_run { " after its preStop hook failed" } else { "" }
}

/// What a code means that is none of the process's own: on Linux 128 and the number of the signal that ended it, on Windows a
/// status, which people know in hexadecimal digits.
fn in_words(code: i32) -> String {
    let signal = match code.checked_sub(128) {
        Some(1) => "SIGHUP",
        Some(2) => "SIGINT",
        Some(3) => "SIGQUIT",
        Some(4) => "SIGILL",
        Some(5) => "SIGTRAP",
        Some(6) => "SIGABRT",
        Some(7) => "SIGBUS",
        Some(8) => "SIGFPE",
        Some(9) => "SIGKILL",
        Some(11) => "SIGSEGV",
        Some(13) => "SIGPIPE",
        Some(14) => "SIGALRM",
        Some(15) => "SIGTERM",
        Some(24) => "SIGXCPU",
        Some(25) => "SIGXFSZ",
        Some(31) => "SIGSYS",
        Some(_) | None if code < 0 => return format!(" ({code:#010X})"),
        Some(_) | None => return String::new(),
    };
    format!(" ({signal})")
}

/// The probe that an Event named for this end. A process that handles SIGTERM may exit with any code.
fn named_by_event(container: &Container, end: &Termination) -> Option<Probe> {
    let (probe, seen) = container.probe_event?;
    let speaks_of_it = match (seen, end.finished) {
        (Some(seen), Some(finished)) => {
            let in_this_run = end.started.is_none_or(|started| seen >= before(started, ROUNDING));
            in_this_run && seen <= after(finished, ROUNDING) && elapsed(seen, finished) <= EVENT_NEAR
        }
        (None, _) | (_, None) => is_killed(end),
    };
    speaks_of_it.then_some(probe)
}

/// The probe that an Event named for an end before this one: the kubelet stops sending Events about a pod that causes many.
/// What ends with an error of its own did not wait to be told to.
fn named_before(container: &Container, end: &Termination) -> Option<Probe> {
    let (probe, seen) = container.probe_event?;
    let lately = seen
        .zip(end.started)
        .zip(end.finished)
        .is_some_and(|((seen, started), finished)| seen < started && elapsed(seen, finished) < EVENT_KEPT);
    (lately && (is_killed(end) || end.exit_code == 0)).then_some(probe)
}

/// The probe whose patience was over when the container was killed. SIGKILL follows on a SIGTERM that was not heeded: that is
/// how the kubelet stops a container. SIGTERM alone anybody can send.
fn given_away_by_its_run(container: &Container, end: &Termination) -> Option<Probe> {
    let starting = container.startup.is_some_and(|startup| ended_while_starting(end, startup));
    let outlived = container.liveness.is_some_and(|liveness| outlived(end, liveness.least));
    match end.exit_code {
        SIGKILL | SIGTERM if starting => Some(Probe::Startup),
        SIGKILL if outlived => Some(Probe::Liveness),
        _ => None,
    }
}

fn is_killed(end: &Termination) -> bool {
    matches!(end.exit_code, SIGKILL | SIGTERM)
}

/// It ran for so long that the kubelet may have lost its patience; a run of unknown length may.
fn outlived(end: &Termination, least: SignedDuration) -> bool {
    end.started.zip(end.finished).is_none_or(|(from, to)| elapsed(from, to).saturating_add(ROUNDING) >= least)
}

fn ended_while_starting(end: &Termination, startup: Patience) -> bool {
    let at_most = startup.most.saturating_add(TERMINATION_GRACE);
    let in_time = |(from, to)| elapsed(from, to) <= at_most;
    outlived(end, startup.least) && end.started.zip(end.finished).is_some_and(in_time)
}
