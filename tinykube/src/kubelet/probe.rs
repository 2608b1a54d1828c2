//! One probe of one container: when it is asked, what a run of answers means, when the next *interesting* one comes.
//!
//! As in the kubelet, a probe's ticker starts with the pod and keeps its beat over restarts of the container.
//! A probe that goes on passing is never woken; one that goes on failing is only counted.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::probe_kind::ProbeKind;
use super::process::{Answer, Process};
use super::span::{after, between};

/// How soon readiness is asked once the container has started; until then its status says not ready.
const AT_ONCE: Duration = Duration::from_millis(10);

/// What a probe is asked through.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Handler {
    Http { path: String, port: i32 },
    Tcp { port: i32 },
    Grpc { port: i32 },
    Exec,
}

/// A probe and the state of its worker.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) kind: ProbeKind,
    handler: Handler,
    delay: Duration,
    period: Duration,
    timeout: u32,
    success: u32,
    failure: u32,
    /// The verdict in force.
    pub(crate) result: bool,
    streak: u32,
    last: Option<bool>,
    /// Asked no more until the container is started again.
    on_hold: bool,
    beat: Timestamp,
    /// The next tick.
    next: Timestamp,
    /// The next tick that can bring anything new.
    due: Timestamp,
    /// Failures since the last one that was told.
    unheard: u64,
}

/// What asking a probe brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The verdict changed.
    pub(crate) flipped: bool,
    /// What it said when it failed, and how many times in a row since the last call.
    pub(crate) complaint: Option<(String, u64)>,
    /// The failure threshold of a liveness or startup probe is reached.
    pub(crate) kill: bool,
}

impl Probe {
    /// A probe of the pod spec whose worker starts at `beat`.
    pub(crate) fn new(kind: ProbeKind, probe: &core::Probe, container: &core::Container, beat: Timestamp) -> Probe {
        Probe {
            kind,
            handler: handler(probe, container),
            delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10).max(Duration::from_secs(1)),
            timeout: at_least_one(probe.timeout_seconds, 1),
            success: at_least_one(probe.success_threshold, 1),
            failure: at_least_one(probe.failure_threshold, 3),
            result: kind == ProbeKind::Liveness,
            streak: 0,
            last: None,
            on_hold: true,
            beat,
            next: Timestamp::MAX,
            due: Timestamp::MAX,
            unheard: 0,
        }
    }

    /// The container was started: all is forgotten, and the first tick after the initial delay is waited for. Readiness
    /// is also asked at once if there is no delay.
    pub(crate) fn begin(&mut self, started: Timestamp) {
        self.result = self.kind == ProbeKind::Liveness;
        self.streak = 0;
        self.last = None;
        self.on_hold = false;
        self.next = self.tick_at_or_after(after(started, self.delay));
        if self.kind == ProbeKind::Readiness && self.delay.is_zero() {
            self.next = after(started, AT_ONCE);
        }
        self.due = self.next;
        self.unheard = 0;
    }

    /// The startup probe passed at `at`: the others begin, readiness at once.
    pub(crate) fn released(&mut self, started: Timestamp, at: Timestamp) {
        let first = after(started, self.delay).max(after(at, AT_ONCE));
        self.next = if self.kind == ProbeKind::Readiness { first } else { self.tick_at_or_after(first) };
        self.due = self.next;
    }

    /// The container ended.
    pub(crate) fn end(&mut self) {
        self.on_hold = true;
        self.result = false;
    }

    /// When it is to be asked next.
    pub(crate) fn due(&self) -> Timestamp {
        if self.on_hold { Timestamp::MAX } else { self.due }
    }

    /// Asks at `at`; ticks passed since the last time had the same answer as then.
    pub(crate) fn ask(&mut self, process: &Process<'_>, at: Timestamp) -> Asked {
        let answer = process.answer(self.kind, at);
        let passes = answer == Answer::Passes;
        self.let_pass(at);
        self.next = self.tick_at_or_after(after(at, Duration::from_millis(1)));
        self.streak = if self.last == Some(passes) { self.streak.saturating_add(1) } else { 1 };
        self.last = Some(passes);
        let threshold = if passes { self.success } else { self.failure };
        let verdict = if self.streak >= threshold { passes } else { self.result };
        let unheard = std::mem::take(&mut self.unheard);
        let asked = Asked {
            flipped: verdict != self.result,
            complaint: self.complaint(&answer).map(|complaint| (complaint, 1 + unheard)),
            kill: !passes && self.streak >= threshold && self.kind != ProbeKind::Readiness,
        };
        self.result = verdict;
        self.on_hold = asked.kill || (self.kind == ProbeKind::Startup && self.result);
        asked
    }

    /// Finds the next tick that can bring anything new. `heard_from` is when a further complaint would be written.
    pub(crate) fn plan(&mut self, process: &Process<'_>, now: Timestamp, heard_from: Timestamp) {
        if self.on_hold {
            return;
        }
        self.let_pass(now);
        let passes = process.answer(self.kind, self.next) == Answer::Passes;
        let settled = self.last == Some(passes) && self.result == passes;
        // Only readiness may fail for ever; the others count up to a kill.
        if !settled || !(passes || self.kind == ProbeKind::Readiness) {
            self.due = self.next;
            return;
        }
        let change = process.next_change(self.kind, self.next);
        let worth = if passes { change } else { change.min(heard_from) };
        self.due = if worth == Timestamp::MAX { worth } else { self.tick_at_or_after(worth.max(self.next)) };
    }

    fn let_pass(&mut self, at: Timestamp) {
        if self.next >= at {
            return;
        }
        let next = self.tick_at_or_after(at);
        if self.last == Some(false) {
            self.unheard = self.unheard.saturating_add(self.ticks_between(self.next, next));
        }
        self.next = next;
    }

    fn ticks_between(&self, from: Timestamp, to: Timestamp) -> u64 {
        millis(between(from, to)) / millis(self.period).max(1)
    }

    fn tick_at_or_after(&self, at: Timestamp) -> Timestamp {
        let (passed, period) = (millis(between(self.beat, at)), millis(self.period).max(1));
        after(self.beat, Duration::from_millis(passed.div_ceil(period).saturating_mul(period)))
    }

    fn complaint(&self, answer: &Answer) -> Option<String> {
        let text = match answer {
            Answer::Passes => return None,
            Answer::Fails(Some(message)) => message.clone(),
            Answer::Fails(None) => match &self.handler {
                Handler::Http { .. } => "HTTP probe failed with statuscode: 500".to_owned(),
                Handler::Grpc { .. } => "service unhealthy (responded with \"NOT_SERVING\")".to_owned(),
                Handler::Tcp { .. } => self.refused(),
                Handler::Exec => String::new(),
            },
            Answer::Refused => self.refused(),
            Answer::TimesOut => self.timed_out(),
        };
        Some(format!("{} probe failed: {text}", self.kind.title()))
    }

    fn refused(&self) -> String {
        match &self.handler {
            Handler::Http { path, port } => {
                format!("Get \"http://$(IP):{port}{path}\": dial tcp $(IP):{port}: connect: connection refused")
            }
            Handler::Tcp { port } => format!("dial tcp $(IP):{port}: connect: connection refused"),
            Handler::Grpc { port } => {
                format!("timeout: failed to connect service \"$(IP):{port}\" within {}s", self.timeout)
            }
            Handler::Exec => String::new(),
        }
    }

    fn timed_out(&self) -> String {
        match &self.handler {
            Handler::Http { path, port } => format!(
                "Get \"http://$(IP):{port}{path}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            ),
            Handler::Tcp { port } => format!("dial tcp $(IP):{port}: i/o timeout"),
            Handler::Grpc { .. } => format!("timeout: health rpc did not complete within {}s", self.timeout),
            Handler::Exec => format!("command timed out: after {}s", self.timeout),
        }
    }
}

fn handler(probe: &core::Probe, container: &core::Container) -> Handler {
    if let Some(http) = &probe.http_get {
        let path = http.path.clone().unwrap_or_else(|| "/".to_owned());
        Handler::Http { path, port: port(&http.port, container) }
    } else if let Some(tcp) = &probe.tcp_socket {
        Handler::Tcp { port: port(&tcp.port, container) }
    } else if let Some(grpc) = &probe.grpc {
        Handler::Grpc { port: grpc.port }
    } else {
        Handler::Exec
    }
}

fn port(port: &IntOrString, container: &core::Container) -> i32 {
    match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            ports.find(|port| port.name.as_ref() == Some(name)).map_or(0, |port| port.container_port)
        }
    }
}

fn seconds(value: Option<i32>, default: u64) -> Duration {
    Duration::from_secs(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default))
}

fn at_least_one(value: Option<i32>, default: u32) -> u32 {
    value.and_then(|value| u32::try_from(value).ok()).unwrap_or(default).max(1)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
