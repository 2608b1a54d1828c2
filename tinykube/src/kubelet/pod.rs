//! One pod on the node: sandbox, init containers in order, containers, and its end. Pure; time is an argument.
//!
//! [`PodMachine::advance`] does everything due up to a moment and says when to come again. It never reads a clock and
//! never talks to the API server; what changed is read off [`PodMachine::status`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;

use super::config_ref::ConfigRef;
use super::container::{Container, Identity, Scene, State};
use super::log::Line;
use super::note::Note;
use super::program;
use super::script::{Behaviour, Exit, Script};
use super::span::after;
use super::spec::{self, RestartPolicy, Role};
use super::transitions::Transitions;
use super::world::World;

/// From being bound to the first status, then to the network being up.
const SANDBOX: Duration = Duration::from_millis(500);
/// How long a pod that ended by itself is reported as it was before its phase becomes final.
const FINAL_PHASE: Duration = Duration::from_secs(1);
/// From the last container's end to the object's removal.
const CLEAN_UP: Duration = Duration::from_millis(600);
/// How long a mount that failed is left alone, at first and at most.
const MOUNT_RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(122));
/// When a pod without a sandbox is looked at again.
const SANDBOX_RETRY: Duration = Duration::from_secs(10);

/// How far a pod has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Volumes are mounted and the sandbox is made.
    Creating { at: Timestamp, retry: Duration },
    /// Containers run.
    Running,
    /// Every container is to end.
    Terminating { sidecars: bool },
    /// Every container has ended; the phase becomes final at `at`.
    Ended { at: Timestamp },
    /// The phase is final.
    Final,
}

/// Why a pod is Failed as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// A pod and all its containers.
#[derive(Clone, Debug)]
pub(crate) struct PodMachine {
    pub(crate) identity: Identity,
    pub(crate) stage: Stage,
    pub(crate) admitted: Timestamp,
    /// Init containers first, each list in the order of the spec.
    pub(crate) containers: Vec<Container>,
    pub(crate) verdict: Option<Verdict>,
    /// The object is being deleted.
    pub(crate) deleting: bool,
    /// The pod has an address to show.
    pub(crate) has_ip: bool,
    /// Since when each condition has its status.
    pub(crate) transitions: Transitions,
    pub(crate) gates: Vec<String>,
    volumes: Vec<(String, ConfigRef)>,
    /// What containers do that are to end, unless the pod has a script.
    programs: BTreeMap<String, Behaviour>,
    pub(crate) deadline: Timestamp,
    remove_at: Timestamp,
}

/// What came of letting time pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) notes: Vec<Note>,
    /// The object is to be removed now.
    pub(crate) remove: bool,
}

impl PodMachine {
    /// A pod just bound to the node, with the address its sandbox will get.
    pub(crate) fn admit(pod: &core::Pod, ip: String, now: Timestamp) -> PodMachine {
        let empty = core::PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&empty);
        let inits = spec.init_containers.iter().flatten();
        let inits = inits.map(|container| Container::new(container, spec, spec::init_role(container), now));
        let mains = spec.containers.iter().map(|container| Container::new(container, spec, Role::Main, now));
        let gates = spec.readiness_gates.iter().flatten();
        PodMachine {
            identity: Identity {
                namespace: pod.metadata.namespace.clone().unwrap_or_default(),
                name: pod.metadata.name.clone().unwrap_or_default(),
                uid: pod.metadata.uid.clone().unwrap_or_default(),
                ip,
                restart_policy: spec::restart_policy(spec),
                grace: seconds(spec.termination_grace_period_seconds.unwrap_or(30)),
            },
            stage: Stage::Creating { at: after(now, SANDBOX), retry: MOUNT_RETRY.0 },
            admitted: now,
            containers: inits.chain(mains).collect(),
            verdict: None,
            deleting: false,
            has_ip: false,
            transitions: Transitions::default(),
            gates: gates.map(|gate| gate.condition_type.clone()).collect(),
            volumes: spec::volumes(spec),
            programs: programs(spec),
            deadline: spec::deadline(spec).map_or(Timestamp::MAX, |deadline| after(now, deadline)),
            remove_at: Timestamp::MAX,
        }
    }

    /// Puts a script in force; none is the healthy default.
    pub(crate) fn behave(&mut self, script: Option<&Script>, now: Timestamp, world: &dyn World) {
        for container in &mut self.containers {
            let init = container.role == Role::Init;
            let behaviour = script.and_then(|script| script.behaviour(&container.name, init)).cloned();
            let program = self.programs.get(&container.name).filter(|_| script.is_none());
            let behaviour = behaviour.or_else(|| program.cloned());
            let behaviour = behaviour.unwrap_or_else(|| if init { completes() } else { Behaviour::default() });
            container.behave(&Arc::new(behaviour), now, world);
        }
    }

    /// The object got a deletion timestamp: everything ends within `grace`.
    pub(crate) fn delete(&mut self, grace: Duration, now: Timestamp) -> Vec<Note> {
        self.deleting = true;
        match self.stage {
            Stage::Ended { .. } | Stage::Final => {
                self.remove_at = self.remove_at.min(after(now, CLEAN_UP));
                Vec::new()
            }
            _ => self.end(grace, now),
        }
    }

    /// Does what is due up to `now`. `heard_from` is when a further Event about the pod would be written.
    pub(crate) fn advance(&mut self, now: Timestamp, world: &dyn World, heard_from: Timestamp) -> Progress {
        let mut notes = Vec::new();
        self.plan(now, world, heard_from);
        loop {
            let due = self.next(world);
            if due > now || self.remove_at <= now {
                break;
            }
            self.act(due, world, heard_from, &mut notes);
        }
        self.plan(after(now, Duration::from_millis(1)), world, heard_from);
        Progress { notes, remove: self.remove_at <= now }
    }

    /// The next moment at which something happens by itself.
    pub(crate) fn next(&self, world: &dyn World) -> Timestamp {
        let stage = match self.stage {
            Stage::Creating { at, .. } | Stage::Ended { at } => at.min(self.deadline),
            Stage::Running => self.deadline,
            Stage::Terminating { .. } | Stage::Final => Timestamp::MAX,
        };
        let containers = self.containers.iter().map(|container| container.due(world));
        containers.fold(stage.min(self.remove_at), Timestamp::min)
    }

    /// One of its containers.
    pub(crate) fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// The log of a container, with the time of each line.
    pub(crate) fn log(&self, container: &str, previous: bool, now: Timestamp, world: &dyn World) -> Option<Vec<Line>> {
        self.container(container)?.log(previous, now, world)
    }

    /// The kubelet was restarted: what probes said is not known any more.
    pub(crate) fn forget_probe_results(&mut self, now: Timestamp) {
        for container in &mut self.containers {
            container.forget_probe_results(now);
        }
    }

    fn plan(&mut self, now: Timestamp, world: &dyn World, heard_from: Timestamp) {
        let mut notes = Vec::new();
        let scene =
            Scene { terminating: self.is_terminating(), pod: &self.identity, world, notes: &mut notes, heard_from };
        for container in &mut self.containers {
            container.plan_probes(&scene, now);
        }
    }

    fn act(&mut self, at: Timestamp, world: &dyn World, heard_from: Timestamp, notes: &mut Vec<Note>) {
        if self.deadline <= at && matches!(self.stage, Stage::Creating { .. } | Stage::Running) {
            self.exceed_deadline(at, notes);
            return;
        }
        match self.stage {
            Stage::Creating { at: ready, retry } if ready <= at => self.create_sandbox(at, retry, world, notes),
            Stage::Ended { at: last } if last <= at => self.stage = Stage::Final,
            _ => self.act_in_containers(at, world, heard_from, notes),
        }
        self.start_next(at, world, heard_from, notes);
        self.settle(at);
    }

    fn act_in_containers(&mut self, at: Timestamp, world: &dyn World, heard_from: Timestamp, notes: &mut Vec<Note>) {
        let mut scene = Scene { terminating: self.is_terminating(), pod: &self.identity, world, notes, heard_from };
        for container in &mut self.containers {
            if container.due(world) <= at {
                container.act(&mut scene, at);
            }
        }
        let shows_ip = |container: &Container| container.waiting.is_some() || container.instances > 0;
        self.has_ip |= self.containers.iter().any(shows_ip);
    }

    fn create_sandbox(&mut self, at: Timestamp, retry: Duration, world: &dyn World, notes: &mut Vec<Note>) {
        for (volume, reference) in &self.volumes {
            let Some(problem) = world.config_problem(reference) else { continue };
            let message = format!("MountVolume.SetUp failed for volume \"{volume}\" : {problem}");
            notes.push(Note::warning("FailedMount", message));
            self.stage = Stage::Creating { at: after(at, retry), retry: (retry * 2).min(MOUNT_RETRY.1) };
            return;
        }
        if let Some(problem) = self.containers.iter().find_map(|container| container.behaviour.sandbox_error.as_ref()) {
            // Each try has a sandbox of its own, whose name is 64 hexadecimal digits.
            let sandbox = format!("{:016x}", at.as_millisecond()).repeat(4);
            let error = format!("failed to setup network for sandbox \"{sandbox}\": {problem}");
            let message = format!("Failed to create pod sandbox: rpc error: code = Unknown desc = {error}");
            notes.push(Note::warning("FailedCreatePodSandBox", message));
            self.stage = Stage::Creating { at: after(at, SANDBOX_RETRY), retry };
            return;
        }
        self.stage = Stage::Running;
    }

    /// Starts whoever's turn has come: init containers one by one, then all the others.
    fn start_next(&mut self, at: Timestamp, world: &dyn World, heard_from: Timestamp, notes: &mut Vec<Note>) {
        if self.stage != Stage::Running {
            return;
        }
        let mut scene = Scene { pod: &self.identity, world, notes, heard_from, terminating: false };
        for container in &mut self.containers {
            if container.state == State::Idle {
                container.prepare(&mut scene, at);
            }
            if !container.lets_next_start() {
                return;
            }
        }
    }

    /// Notices that every container has ended.
    fn settle(&mut self, at: Timestamp) {
        match self.stage {
            Stage::Running => {
                let init_failed = |container: &Container| {
                    container.role == Role::Init && container.is_finished() && !container.succeeded()
                };
                let over = self.identity.restart_policy != RestartPolicy::Always
                    && (self.containers.iter().any(init_failed) || self.mains().all(Container::is_finished));
                if over && self.containers.iter().any(|container| container.role == Role::Sidecar) {
                    let grace = self.identity.grace;
                    let _ = self.end(grace, at);
                } else if over {
                    self.stage = Stage::Ended { at: after(at, FINAL_PHASE) };
                }
            }
            Stage::Terminating { sidecars } => self.settle_terminating(sidecars, at),
            _ => {}
        }
    }

    fn settle_terminating(&mut self, sidecars: bool, at: Timestamp) {
        let sidecar_runs = |container: &Container| container.role == Role::Sidecar && container.is_running();
        if self.containers.iter().any(|container| container.role != Role::Sidecar && container.is_running()) {
            return;
        }
        if !sidecars && self.containers.iter().any(sidecar_runs) {
            let grace = self.identity.grace;
            for container in self.containers.iter_mut().filter(|container| container.role == Role::Sidecar) {
                container.stop(at, grace, false);
            }
            self.stage = Stage::Terminating { sidecars: true };
        }
        if self.containers.iter().any(Container::is_running) {
            return;
        }
        for container in &mut self.containers {
            container.state = State::Finished;
            container.waiting = None;
        }
        self.stage = Stage::Final;
        if self.deleting {
            self.remove_at = after(at, CLEAN_UP);
        }
    }

    fn end(&mut self, grace: Duration, at: Timestamp) -> Vec<Note> {
        let mut notes = Vec::new();
        let mut scene =
            Scene { pod: &self.identity, world: &Nothing, notes: &mut notes, heard_from: at, terminating: true };
        for container in &mut self.containers {
            if matches!(container.state, State::Running { .. }) {
                container.kill(&mut scene, format!("Stopping container {}", container.name));
            }
            if container.role != Role::Sidecar || !container.is_running() {
                container.stop(at, grace, false);
            }
        }
        let sidecars = matches!(self.stage, Stage::Terminating { sidecars: true });
        self.stage = Stage::Terminating { sidecars };
        self.identity.grace = grace;
        self.settle(at);
        notes
    }

    fn exceed_deadline(&mut self, at: Timestamp, notes: &mut Vec<Note>) {
        let message = "Pod was active on the node longer than the specified deadline";
        notes.push(Note::normal("DeadlineExceeded", message.to_owned()));
        self.deadline = Timestamp::MAX;
        self.verdict = Some(Verdict { reason: "DeadlineExceeded", message: message.to_owned() });
        notes.extend(self.end(self.identity.grace, at));
    }

    fn is_terminating(&self) -> bool {
        !matches!(self.stage, Stage::Creating { .. } | Stage::Running)
    }

    pub(crate) fn mains(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| container.role == Role::Main)
    }
}

/// The end of a pod asks nothing of the world.
pub(crate) struct Nothing;

impl World for Nothing {
    fn config_problem(&self, _: &ConfigRef) -> Option<String> {
        None
    }

    fn down_since(&self, _: &super::dependency::Dependency) -> Option<Timestamp> {
        None
    }
}

fn programs(spec: &core::PodSpec) -> BTreeMap<String, Behaviour> {
    if spec::restart_policy(spec) == RestartPolicy::Always {
        return BTreeMap::new();
    }
    spec.containers.iter().filter_map(|container| Some((container.name.clone(), program::of(container)?))).collect()
}

/// What an init container without a script does.
fn completes() -> Behaviour {
    Behaviour { exits: vec![Exit { code: Some(0), ..Exit::default() }], ..Behaviour::default() }
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
