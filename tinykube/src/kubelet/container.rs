//! One container: from its turn to start, over restarts and back-off, to its end. Pure; time is an argument.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;

use super::allotment::Allotment;
use super::backoff::Backoff;
use super::config_ref::ConfigRef;
use super::log::{Line, Log};
use super::note::Note;
use super::probe::Probe;
use super::probe_kind::ProbeKind;
use super::process::{Process, Termination};
use super::script::Behaviour;
use super::span::after;
use super::spec::{self, RestartPolicy, Role};
use super::waiting::{StartProblem, Waiting};
use super::world::World;

/// From creating a container to its process running, the first time and when all is at hand.
const FIRST_START: Duration = Duration::from_millis(400);
const RESTART: Duration = Duration::from_millis(100);

/// What all containers of a pod share while time passes.
pub(crate) struct Scene<'a> {
    pub(crate) pod: &'a Identity,
    pub(crate) world: &'a dyn World,
    pub(crate) notes: &'a mut Vec<Note>,
    /// When a further Event about the pod would be written.
    pub(crate) heard_from: Timestamp,
    /// The pod is terminating: nothing is started any more.
    pub(crate) terminating: bool,
}

/// Which pod it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) ip: String,
    pub(crate) restart_policy: RestartPolicy,
    /// What a process gets between SIGTERM and SIGKILL.
    pub(crate) grace: Duration,
}

/// A finished instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terminated {
    pub(crate) code: u8,
    pub(crate) reason: String,
    pub(crate) message: Option<String>,
    pub(crate) started: Timestamp,
    pub(crate) finished: Timestamp,
    pub(crate) instance: u32,
}

/// Where a container stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its turn has not come.
    Idle,
    /// The image comes.
    Pulling { until: Timestamp },
    /// Something is missing; looked at again at `sync`, when the last problem shows in the status.
    Blocked { sync: Timestamp, problem: Option<Waiting> },
    /// The process is about to run.
    Starting { at: Timestamp },
    /// The process runs.
    Running { since: Timestamp },
    /// The process was told to end.
    Stopping { since: Timestamp, exit: Timestamp, code: u8, by_probe: bool },
    /// Finished, started again after the back-off; looked at again at `sync`.
    BackingOff { sync: Timestamp },
    /// Finished for good.
    Finished,
}

/// A container of a pod.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    /// What it was given and as whom it runs.
    pub(crate) allotment: Allotment,
    pub(crate) role: Role,
    pub(crate) state: State,
    /// Why it waits, once the status shows it.
    pub(crate) waiting: Option<Waiting>,
    pub(crate) exited: Option<Terminated>,
    pub(crate) before: Option<Terminated>,
    /// How often its process has been started.
    pub(crate) instances: u32,
    pub(crate) started: bool,
    pub(crate) ready: bool,
    pub(crate) image_backoff: Backoff,
    pub(crate) failed_pulls: u32,
    pub(crate) pulled: bool,
    pub(crate) environment: Vec<ConfigRef>,
    probes: Vec<Probe>,
    pre_stop: bool,
    pub(crate) behaviour: Arc<Behaviour>,
    script_since: Timestamp,
    baseline: Timestamp,
    /// How often each exit rule has ended the process.
    fired: Vec<u32>,
    pub(super) backoff: Backoff,
    log: Log,
    log_on_error: bool,
    pub(super) syncs: u32,
}

impl Container {
    /// A container whose turn has not come; its probes' beat starts at `admitted`.
    pub(crate) fn new(container: &core::Container, pod: &core::PodSpec, role: Role, admitted: Timestamp) -> Container {
        Container {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            allotment: Allotment::of(container, pod),
            role,
            state: State::Idle,
            waiting: None,
            exited: None,
            before: None,
            instances: 0,
            started: false,
            ready: false,
            image_backoff: Backoff::default(),
            failed_pulls: 0,
            pulled: false,
            environment: spec::environment(container),
            probes: spec::probes(container, admitted),
            pre_stop: container.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.pre_stop.is_some()),
            behaviour: Arc::new(Behaviour::default()),
            script_since: admitted,
            baseline: admitted,
            fired: Vec::new(),
            backoff: Backoff::default(),
            log: Log::default(),
            log_on_error: container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError"),
            syncs: 0,
        }
    }

    /// A new script is in force from `now` on.
    pub(crate) fn behave(&mut self, behaviour: &Arc<Behaviour>, now: Timestamp, world: &dyn World) {
        if self.behaviour == *behaviour {
            return;
        }
        self.settle_log(now, world);
        self.behaviour = Arc::clone(behaviour);
        self.script_since = now;
        self.baseline = now;
        self.fired.clear();
        if let State::Blocked { sync, .. } = &mut self.state {
            *sync = now;
        }
    }

    /// Whether its process is up.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. } | State::Stopping { .. })
    }

    /// Whether it will not run any more.
    pub(crate) fn is_finished(&self) -> bool {
        self.state == State::Finished
    }

    /// Whether the next container of the pod may start.
    pub(super) fn lets_next_start(&self) -> bool {
        match self.role {
            Role::Init => self.succeeded(),
            Role::Sidecar => self.started || self.instances > 1,
            Role::Main => true,
        }
    }

    /// Whether it ended well.
    pub(crate) fn succeeded(&self) -> bool {
        self.is_finished() && self.exited.as_ref().is_some_and(|exited| exited.code == 0)
    }

    /// The next moment at which something happens by itself.
    pub(crate) fn due(&self, world: &dyn World) -> Timestamp {
        match &self.state {
            State::Idle | State::Finished => Timestamp::MAX,
            State::Pulling { until } => *until,
            State::Blocked { sync, .. } | State::BackingOff { sync } => *sync,
            State::Starting { at } => *at,
            State::Stopping { exit, .. } => *exit,
            State::Running { since } => {
                let termination = self
                    .process(*since, world)
                    .termination(&self.fired)
                    .map_or(Timestamp::MAX, |termination| termination.at);
                let asked = self.probes.iter().filter(|probe| self.is_asked(probe));
                asked.map(Probe::due).fold(termination.max(*since), Timestamp::min)
            }
        }
    }

    /// Does what is due at `at`.
    pub(crate) fn act(&mut self, scene: &mut Scene<'_>, at: Timestamp) {
        match self.state.clone() {
            State::Idle | State::Finished => {}
            State::Pulling { .. } => {
                self.pulled = true;
                self.prepare(scene, at);
            }
            State::Blocked { problem, .. } => {
                self.waiting = problem;
                self.prepare(scene, at);
            }
            State::BackingOff { .. } => self.sync_back_off(scene, at),
            State::Starting { .. } => self.start(scene, at),
            State::Stopping { .. } => self.stopped(scene, at),
            State::Running { since } => self.live(scene, since, at),
        }
    }

    /// Plans the next questions of its probes, after the world or the time has changed.
    pub(crate) fn plan_probes(&mut self, scene: &Scene<'_>, now: Timestamp) {
        let State::Running { since } = self.state else { return };
        let mut probes = std::mem::take(&mut self.probes);
        let process = self.process(since, scene.world);
        for probe in &mut probes {
            if self.is_asked(probe) && probe.due() > now {
                probe.plan(&process, now, scene.heard_from);
            }
        }
        self.probes = probes;
    }

    /// Creates it: image, configuration, then the process.
    pub(crate) fn prepare(&mut self, scene: &mut Scene<'_>, at: Timestamp) {
        match self.start_problem(scene, at) {
            None => {
                self.note(scene, Note::normal("Created", "Container created".to_owned()));
                let delay = if self.instances == 0 { FIRST_START } else { RESTART };
                self.state = State::Starting { at: after(at, delay) };
            }
            Some(StartProblem::Pulling(takes)) => self.state = State::Pulling { until: after(at, takes) },
            Some(StartProblem::Missing(problem)) => {
                let first = !matches!(self.state, State::Blocked { .. });
                let delay = if first { Duration::from_secs(1) } else { self.jitter(scene, Duration::from_secs(10)) };
                self.state = State::Blocked { sync: after(at, delay), problem: Some(problem) };
            }
        }
    }

    /// Says that it is to end and runs its hook, which takes no time and says no more than that it failed.
    pub(crate) fn kill(&self, scene: &mut Scene<'_>, message: String) {
        self.note(scene, Note::normal("Killing", message));
        if self.pre_stop && self.behaviour.pre_stop_fails {
            self.note(scene, Note::warning("FailedPreStopHook", "PreStopHook failed".to_owned()));
        }
    }

    /// Tells the process to end, and kills it after `grace`.
    pub(crate) fn stop(&mut self, at: Timestamp, grace: Duration, by_probe: bool) {
        match &mut self.state {
            State::Running { since } => {
                let wish = self.behaviour.on_term.after.duration();
                let (exit, code) =
                    if wish < grace { (after(at, wish), self.behaviour.on_term.code) } else { (after(at, grace), 137) };
                self.state = State::Stopping { since: *since, exit, code, by_probe };
            }
            State::Stopping { exit, code, by_probe: probe, .. } => {
                *probe &= by_probe;
                let deadline = after(at, grace);
                if deadline < *exit {
                    (*exit, *code) = (deadline, 137);
                }
            }
            _ => self.state = State::Finished,
        }
    }

    /// Told to end as its node goes down, it has ended within `grace`; the kubelet knows nothing of it afterwards but how it ended.
    pub(crate) fn go_down(&mut self, at: Timestamp, grace: Duration, world: &dyn World) {
        self.stop(at, grace, false);
        if let State::Stopping { since, code, .. } = self.state {
            self.settle_log(at, world);
            self.end_as_told(since, code, at);
        }
        self.waiting = None;
        (self.backoff, self.image_backoff) = (Backoff::default(), Backoff::default());
    }

    /// The log of the running (or last) instance, or of the one before it.
    pub(crate) fn log(&self, previous: bool, now: Timestamp, world: &dyn World) -> Option<Vec<Line>> {
        if self.instances == 0 || (previous && self.before_or_exited().is_none()) {
            return None;
        }
        if previous {
            return Some(self.log.previous.clone());
        }
        let mut lines = self.log.current.clone();
        if let State::Running { since } | State::Stopping { since, .. } = self.state {
            lines.extend(self.process(since, world).printed(now));
        }
        Some(lines)
    }

    /// Probes begin anew, as if the container had just been started; one that was started stays so.
    pub(crate) fn forget_probe_results(&mut self, now: Timestamp) {
        if !matches!(self.state, State::Running { .. }) {
            return;
        }
        for probe in self.probes.iter_mut().filter(|probe| probe.kind != ProbeKind::Startup) {
            probe.begin(now);
        }
        self.ready = self.started && !self.has(ProbeKind::Readiness);
    }

    /// One that was not started yet is asked from the beginning whether it is.
    pub(crate) fn begin_startup_probe(&mut self, now: Timestamp) {
        for probe in self.probes.iter_mut().filter(|probe| probe.kind == ProbeKind::Startup) {
            probe.begin(now);
        }
    }

    /// Says something about this container.
    pub(crate) fn note(&self, scene: &mut Scene<'_>, note: Note) {
        let list = if self.role.is_init() { "initContainers" } else { "containers" };
        scene.notes.push(Note { field_path: Some(format!("spec.{list}{{{}}}", self.name)), ..note });
    }

    fn before_or_exited(&self) -> Option<&Terminated> {
        if self.is_running() { self.exited.as_ref() } else { self.before.as_ref() }
    }

    fn process<'a>(&'a self, started: Timestamp, world: &'a dyn World) -> Process<'a> {
        Process { behaviour: &self.behaviour, started, baseline: self.baseline, world }
    }

    pub(super) fn start(&mut self, scene: &mut Scene<'_>, at: Timestamp) {
        self.instances += 1;
        self.log.rotate();
        self.baseline = at.max(self.script_since);
        if let Some(problem) = self.behaviour.start_error.clone() {
            self.fail_to_start(scene, problem, at);
            return;
        }
        self.note(scene, Note::normal("Started", "Container started".to_owned()));
        self.waiting = None;
        self.state = State::Running { since: at };
        self.started = !self.has(ProbeKind::Startup);
        self.ready = self.role != Role::Init && self.started && !self.has(ProbeKind::Readiness);
        for probe in &mut self.probes {
            probe.begin(at);
        }
    }

    fn fail_to_start(&mut self, scene: &mut Scene<'_>, problem: String, at: Timestamp) {
        self.note(scene, Note::warning("Failed", format!("Error: {problem}")));
        let ended = Terminated {
            code: 128,
            reason: "StartError".to_owned(),
            message: Some(problem.clone()),
            started: Timestamp::UNIX_EPOCH,
            finished: at,
            instance: self.instances,
        };
        self.finish(ended);
        self.waiting = Some(Waiting { reason: "RunContainerError", message: problem });
        self.restart(scene, at);
    }

    fn live(&mut self, scene: &mut Scene<'_>, since: Timestamp, at: Timestamp) {
        let termination = self.process(since, scene.world).termination(&self.fired);
        if let Some(termination) = termination.filter(|termination| termination.at.max(since) <= at) {
            self.exit(scene, since, &termination, at);
            return;
        }
        for index in 0..self.probes.len() {
            if !matches!(self.state, State::Running { .. }) {
                return;
            }
            self.ask(scene, since, index, at);
        }
    }

    fn ask(&mut self, scene: &mut Scene<'_>, since: Timestamp, index: usize, at: Timestamp) {
        let Some(mut probe) = self.probes.get(index).cloned() else { return };
        if !self.is_asked(&probe) || probe.due() > at {
            return;
        }
        let process = self.process(since, scene.world);
        let asked = probe.ask(&process, at);
        probe.plan(&process, after(at, Duration::from_millis(1)), scene.heard_from);
        let (kind, result) = (probe.kind, probe.result);
        if let Some(slot) = self.probes.get_mut(index) {
            *slot = probe;
        }
        if let Some((complaint, times)) = asked.complaint {
            let message = complaint.replace("$(IP)", &scene.pod.ip);
            let note = Note::warning("Unhealthy", message);
            self.note(scene, Note { times, ..note });
        }
        if asked.kill && !scene.terminating {
            self.fail_probe(scene, kind, at);
        } else if asked.flipped {
            self.heed(kind, result, since, at);
        }
    }

    fn heed(&mut self, kind: ProbeKind, result: bool, since: Timestamp, at: Timestamp) {
        match kind {
            ProbeKind::Liveness => {}
            ProbeKind::Readiness => self.ready = result,
            ProbeKind::Startup => {
                self.started = result;
                self.ready = result && !self.has(ProbeKind::Readiness);
                for probe in self.probes.iter_mut().filter(|probe| probe.kind != ProbeKind::Startup) {
                    probe.released(since, at);
                }
            }
        }
    }

    fn fail_probe(&mut self, scene: &mut Scene<'_>, kind: ProbeKind, at: Timestamp) {
        let probe = kind.title().to_lowercase();
        let message = format!("Container {} failed {probe} probe, will be restarted", self.name);
        self.kill(scene, message);
        self.stop(at, scene.pod.grace, true);
    }

    fn exit(&mut self, scene: &mut Scene<'_>, since: Timestamp, termination: &Termination, at: Timestamp) {
        self.settle_log(at, scene.world);
        let Some(rule) = self.process(since, scene.world).rule(termination).cloned() else { return };
        if self.fired.len() <= termination.rule {
            self.fired.resize(termination.rule + 1, 0);
        }
        if let Some(fired) = self.fired.get_mut(termination.rule) {
            *fired += 1;
        }
        self.log.current.extend(rule.log.clone().map(|line| (at, line)));
        let code = rule.exit_code();
        let ended = Terminated {
            code,
            reason: rule.reason.unwrap_or_else(|| default_reason(code)),
            message: rule.message.or_else(|| self.message_from_log(code)),
            started: since,
            finished: at,
            instance: self.instances,
        };
        self.finish(ended);
        self.restart(scene, at);
    }

    fn stopped(&mut self, scene: &mut Scene<'_>, at: Timestamp) {
        let State::Stopping { since, code, by_probe, .. } = self.state else { return };
        self.settle_log(at, scene.world);
        let last = self.exited.as_ref().map(|exited| exited.finished);
        self.end_as_told(since, code, at);
        if by_probe && !scene.terminating {
            self.restart_killed(scene, last, at);
        } else {
            self.restart(scene, at);
        }
    }

    fn end_as_told(&mut self, started: Timestamp, code: u8, at: Timestamp) {
        let (reason, message) = (default_reason(code), self.message_from_log(code));
        self.finish(Terminated { code, reason, message, started, finished: at, instance: self.instances });
    }

    fn finish(&mut self, ended: Terminated) {
        self.before = self.exited.replace(ended);
        self.waiting = None;
        self.started = false;
        self.ready = false;
        for probe in &mut self.probes {
            probe.end();
        }
    }

    fn message_from_log(&self, code: u8) -> Option<String> {
        if self.log_on_error && code != 0 { self.log.tail() } else { None }
    }

    fn settle_log(&mut self, at: Timestamp, world: &dyn World) {
        if let State::Running { since } | State::Stopping { since, .. } = self.state {
            let printed = self.process(since, world).printed(at);
            self.log.current.extend(printed);
        }
    }

    /// Liveness and readiness wait until the container has started.
    fn is_asked(&self, probe: &Probe) -> bool {
        probe.kind == ProbeKind::Startup || self.started
    }

    fn has(&self, kind: ProbeKind) -> bool {
        self.probes.iter().any(|probe| probe.kind == kind)
    }
}

fn default_reason(code: u8) -> String {
    if code == 0 { "Completed" } else { "Error" }.to_owned()
}
