//! Pods and their containers, as small as deciding allows.

use jiff::{SignedDuration, Timestamp};

use super::{
    budget::BudgetRefusal,
    node::{Node, NodeLoss},
    pod_event::{PodEvents, SandboxTrouble},
    readiness_gate::ClosedGate,
};
use crate::model::cause::Probe;

/// The waiting reason with which the kubelet spaces restarts.
const CRASH_LOOP_BACK_OFF: &str = "CrashLoopBackOff";

/// The waiting reason of a container whose `postStart` hook has failed.
const HOOK_FAILED: &str = "PostStartHookError";

/// The waiting reasons that a container passes through at every start.
pub const EVERY_START: [&str; 3] = ["", "ContainerCreating", "PodInitializing"];

/// A pod, as small as deciding allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The node that it was given to, if one was.
    pub node: Option<String>,
    /// How that node is.
    pub host: Node,
    /// It is being deleted.
    pub deletion: Option<Deletion>,
    /// `status.phase`.
    pub phase: Phase,
    /// `status.reason`, such as `Evicted`.
    pub reason: Option<String>,
    /// `status.message`, bounded and plain: why the node rejected it, say.
    pub message: Option<String>,
    /// Where it comes from, and where what replaces it would.
    pub origin: Origin,
    /// The `Ready` condition.
    pub ready: Readiness,
    /// When the `Ready` condition last changed, by the node's clock: only to be compared with the containers' times.
    pub ready_changed: Option<Timestamp>,
    /// Message of `PodScheduled=False/Unschedulable`.
    pub unschedulable: Option<String>,
    /// Names of the gates that hold its scheduling back, as in `spec.schedulingGates`; nobody looks for a node until they are gone.
    pub scheduling_gates: Vec<String>,
    /// The readiness gates that keep it from being ready.
    pub closed_gates: Vec<ClosedGate>,
    /// `PodReadyToStartContainers` is False: it has no sandbox, which comes after its volumes and before any image.
    pub no_sandbox: bool,
    /// What its Events say of that, and of its end. Words for findings, never the cause of one.
    pub events: PodEvents,
    /// The pod was created by an older revision of its StatefulSet or ReplicaSet.
    pub old_revision: bool,
    /// Conditions that a policy may name, as (type, status, since).
    pub conditions: Vec<(String, String, Option<Timestamp>)>,
    /// Init containers, sidecars and containers, in that order.
    pub containers: Vec<Container>,
    /// Why its disruption budgets would have an eviction refused now.
    pub refusal: Option<BudgetRefusal>,
}

impl Pod {
    /// A lost node turns `Ready` False without a reason while every container stays ready, as recorded in `node-lost`.
    pub fn is_on_lost_node(&self) -> bool {
        let silent = matches!(&self.ready, Readiness::NotReady(None)) && self.phase == Phase::Running;
        let all_ready = self.containers.iter().all(|container| container.role == Role::Init || container.ready);
        (silent && all_ready && !self.containers.is_empty())
            || self.reason.as_deref() == Some("NodeLost")
            || (matches!(self.ready, Readiness::Unknown) && self.phase == Phase::Unknown)
            || self.loss().is_some()
    }

    /// How its node is lost, where that makes what is said of this pod worth nothing: a dead kubelet leaves every status as it
    /// was.
    pub fn loss(&self) -> Option<&NodeLoss> {
        let loss = self.host.loss.as_ref()?;
        let concerns = match (loss, self.phase) {
            // It has ended, and nothing more is expected of its node.
            (_, Phase::Failed | Phase::Succeeded) => false,
            (NodeLoss::Unreachable | NodeLoss::OutOfService, _) => true,
            // What has just come may be known before its node is.
            (NodeLoss::Gone, phase) => phase != Phase::Pending,
            // Its kubelet speaks: a node that has just come is not ready while its first pods start, and what serves serves.
            (NodeLoss::NotReady(_), phase) => phase != Phase::Pending && !self.is_ready(),
        };
        concerns.then_some(loss)
    }

    /// It is to go, and nobody is there who could end it.
    pub fn cannot_go(&self) -> bool {
        self.is_deleting() && self.loss().is_some()
    }

    /// Its node by name, to begin a sentence with.
    pub fn node_named(&self) -> String {
        self.node.as_ref().map_or_else(|| "its node".to_owned(), |name| format!("node {name}"))
    }

    /// What its node said of the sandbox that it does not have: once it has one, that is over.
    pub fn sandbox_trouble(&self) -> Option<&SandboxTrouble> {
        self.events.no_sandbox.as_ref().filter(|_| self.no_sandbox)
    }

    /// It is there and neither about to go nor done.
    pub fn is_living(&self) -> bool {
        !self.is_deleting() && !matches!(self.phase, Phase::Failed | Phase::Succeeded)
    }

    /// It was created later than that, by the API server's clock; what does not say when was not.
    pub fn is_younger_than(&self, created: Timestamp) -> bool {
        self.origin.created > Some(created)
    }

    /// Somebody asked for it to go.
    pub fn is_deleting(&self) -> bool {
        self.deletion.is_some()
    }

    /// Its `Ready` condition is True.
    pub fn is_ready(&self) -> bool {
        matches!(self.ready, Readiness::Ready(_))
    }
}

/// The end of a pod that somebody asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deletion {
    /// When its grace is over, by the API server's clock: `metadata.deletionTimestamp`.
    pub due: Option<Timestamp>,
    /// Whose word it waits for before it may go: `metadata.finalizers`.
    pub finalizers: Vec<String>,
}

/// Where a pod comes from, and where the one that replaces it would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// When it was created, by the API server's clock: only to be compared with other pods.
    pub created: Option<Timestamp>,
    /// The ReplicaSet or the revision that it was made from, if that is said.
    pub made_from: Option<String>,
    /// The one that its replacement would be made from, if that can be told.
    pub replaced_from: Option<String>,
}

/// `status.phase` of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not all containers have been started.
    Pending,
    /// At least one container runs or restarts.
    Running,
    /// All containers ended well and none will restart.
    Succeeded,
    /// All containers ended, at least one badly.
    Failed,
    /// The node does not answer, or the phase is not known to us.
    Unknown,
}

/// The pod's `Ready` condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// True since then.
    Ready(Option<Timestamp>),
    /// False, with the reason the kubelet gave; a lost node leaves it empty.
    NotReady(Option<String>),
    /// Not written yet, or `Unknown`.
    Unknown,
}

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the others start.
    Init,
    /// An init container with `restartPolicy: Always`.
    Sidecar,
    /// An ordinary container.
    Main,
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// After which ends it is started again.
    pub restarts: RestartPolicy,
    /// `ready`.
    pub ready: bool,
    /// `started`: the startup probe passed, or there is none.
    pub started: bool,
    /// `restartCount`.
    pub restart_count: u32,
    /// What it is doing.
    pub state: ContainerState,
    /// How it ended last time.
    pub last: Option<Termination>,
    /// How long its startup probe is patient.
    pub startup: Option<Patience>,
    /// How long its liveness probe is patient.
    pub liveness: Option<Patience>,
    /// The probe that a `Killing` Event named, and when. Names a finding, never causes one.
    pub probe_event: Option<(Probe, Option<Timestamp>)>,
    /// When its `preStop` hook failed last, by the node's clock, as an Event said. Words for a finding, never the cause of one.
    pub failed_pre_stop: Option<Timestamp>,
    /// What a diagnosis rule made of how it ended, or of why it waits.
    pub diagnosis: Option<Diagnosis>,
    /// Why its log could not be read, where that was asked for.
    pub unread: Option<String>,
}

impl Container {
    /// How it ended, most recently.
    pub fn last_termination(&self) -> Option<&Termination> {
        match &self.state {
            ContainerState::Terminated(end) => Some(end),
            ContainerState::Waiting { .. } | ContainerState::Running(_) | ContainerState::Unknown => self.last.as_ref(),
        }
    }

    /// The how many-th termination its latest is; 0 while it runs for the first time.
    pub fn termination_number(&self) -> u32 {
        let ended_again = match &self.state {
            ContainerState::Terminated(_) => true,
            // Between two runs, the count of which grows with the next start.
            ContainerState::Waiting { .. } => self.last.is_some(),
            ContainerState::Running(_) | ContainerState::Unknown => false,
        };
        self.restart_count.saturating_add(u32::from(ended_again))
    }

    /// It waits for what every container waits for at its start.
    pub fn waits_to_start(&self) -> bool {
        matches!(&self.state, ContainerState::Waiting { reason, .. } if EVERY_START.contains(&reason.as_str()))
    }

    /// What the kubelet says of its `postStart` hook, which failed just now.
    pub fn failed_hook(&self) -> Option<&str> {
        match &self.state {
            ContainerState::Waiting { reason, message } if reason == HOOK_FAILED => Some(message),
            ContainerState::Waiting { .. }
            | ContainerState::Running(_)
            | ContainerState::Terminated(_)
            | ContainerState::Unknown => None,
        }
    }

    /// It is in the kubelet's back-off between two runs.
    pub fn is_in_back_off(&self) -> bool {
        matches!(&self.state, ContainerState::Waiting { reason, .. } if reason == CRASH_LOOP_BACK_OFF)
    }
}

/// After which ends a container is started again: its own `restartPolicy`, or that of its pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// After each.
    #[default]
    Always,
    /// After those with another exit code than 0.
    OnFailure,
    /// After none.
    Never,
}

impl RestartPolicy {
    /// Whether it is started again after this end.
    pub fn follows(self, end: &Termination) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => end.exit_code != 0,
            Self::Never => false,
        }
    }
}

/// How long the kubelet lets a probe fail, from the start of the container, before it restarts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// initialDelay + period × (failureThreshold - 1): it does not give up sooner.
    pub least: SignedDuration,
    /// initialDelay + period × failureThreshold: the time to start that the probe grants.
    pub most: SignedDuration,
}

/// `state` of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    /// Not running, and why.
    Waiting {
        /// `reason`.
        reason: String,
        /// `message`.
        message: String,
    },
    /// Running since then.
    Running(Option<Timestamp>),
    /// Ended.
    Terminated(Termination),
    /// No state was reported.
    Unknown,
}

/// How a container ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Termination {
    /// `exitCode`.
    pub exit_code: i32,
    /// `reason`: `Error`, `OOMKilled`, `Completed` …
    pub reason: String,
    /// `message`, bounded, plain, and without secrets.
    pub message: String,
    /// `startedAt`.
    pub started: Option<Timestamp>,
    /// `finishedAt`.
    pub finished: Option<Timestamp>,
}

impl Termination {
    /// The process could not be started at all, in the words of containerd and CRI-O, and in those of Docker.
    pub fn never_ran(&self) -> bool {
        matches!(self.reason.as_str(), "StartError" | "ContainerCannotRun")
    }

    /// The node restarted, or the runtime lost the container: the code is made up, and the process did nothing wrong.
    pub fn is_made_up(&self) -> bool {
        matches!(self.reason.as_str(), "ContainerStatusUnknown" | "Unknown")
    }
}

/// A named root cause, found by a rule in what a container said when it ended, or in why it waits. Informs; never widens
/// what is acted on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Name of the rule, such as `DatabaseUnreachable`.
    pub name: String,
    /// What a person should do.
    pub advice: String,
    /// The line that told, plain and without secrets; empty if it was a reason or an exit code.
    pub line: String,
}

/// Whether any of its containers ever ran.
pub fn has_run(pod: &Pod) -> bool {
    pod.containers.iter().any(|container| match container.state {
        ContainerState::Running(_) | ContainerState::Terminated(_) => true,
        ContainerState::Waiting { .. } | ContainerState::Unknown => container.last.is_some(),
    })
}

/// How many pods are there and neither about to go nor done.
pub fn living(pods: &[Pod]) -> u32 {
    u32::try_from(pods.iter().filter(|pod| pod.is_living()).count()).unwrap_or(u32::MAX)
}
