//! Causes: what is wrong with each pod, and whether a restart could help.
//!
//! Reads objects only. Events name the probe of a finding that is there anyway.

use jiff::{SignedDuration, Timestamp};

use super::{
    memory::{ContainerMemory, Memory},
    policy::HealthPolicy,
    reason::Reason,
    restarts::{CRASH_LOOP_BACK_OFF, in_window},
    snapshot::{Container, ContainerState, Phase, Pod, Probe, Readiness, Role, Termination, Workload, WorkloadKind},
    time::{Wakeups, after, elapsed, spoken},
};

/// What is wrong. Section 3 of the semantics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Restarts again and again.
    CrashLoop,
    /// Its liveness probe had it killed.
    LivenessFailed,
    /// It never passed its startup probe.
    StartupFailed,
    /// Runs but is not ready.
    ReadinessFailed,
    /// Killed for using too much memory.
    OOMKilled,
    /// Will not move again by itself: failed or evicted bare pod, old StatefulSet revision.
    Deadlocked,
    /// A pod condition named in the policy.
    PodCondition,
    /// The workload is gone.
    WorkloadMissing,
    /// The image cannot be had.
    ImagePull,
    /// A reference or the command is wrong.
    ConfigError,
    /// No node can take it.
    Unschedulable,
    /// A quota forbids it.
    QuotaExceeded,
    /// An init container does not succeed.
    InitFailed,
    /// Its node does not answer.
    NodeLost,
}

impl Cause {
    /// Whether replacing the pod (or the workload) could help at all.
    pub fn restart_helps(self) -> bool {
        match self {
            Self::CrashLoop
            | Self::LivenessFailed
            | Self::StartupFailed
            | Self::ReadinessFailed
            | Self::OOMKilled
            | Self::Deadlocked
            | Self::PodCondition
            | Self::WorkloadMissing => true,
            Self::ImagePull
            | Self::ConfigError
            | Self::Unschedulable
            | Self::QuotaExceeded
            | Self::InitFailed
            | Self::NodeLost => false,
        }
    }

    /// The cause in the one vocabulary.
    pub fn reason(self) -> Reason {
        match self {
            Self::CrashLoop => Reason::CrashLoop,
            Self::LivenessFailed => Reason::LivenessFailed,
            Self::StartupFailed => Reason::StartupFailed,
            Self::ReadinessFailed => Reason::ReadinessFailed,
            Self::OOMKilled => Reason::OOMKilled,
            Self::Deadlocked => Reason::Deadlocked,
            Self::PodCondition => Reason::PodCondition,
            Self::WorkloadMissing => Reason::WorkloadMissing,
            Self::ImagePull => Reason::ImagePull,
            Self::ConfigError => Reason::ConfigError,
            Self::Unschedulable => Reason::Unschedulable,
            Self::QuotaExceeded => Reason::QuotaExceeded,
            Self::InitFailed => Reason::InitFailed,
            Self::NodeLost => Reason::NodeLost,
        }
    }

    /// The cause's name in findings and history.
    pub fn as_str(self) -> &'static str {
        self.reason().as_str()
    }

    /// The cause of that name.
    pub fn parse(name: &str) -> Option<Self> {
        const ALL: [Cause; 14] = [
            Cause::CrashLoop,
            Cause::LivenessFailed,
            Cause::StartupFailed,
            Cause::ReadinessFailed,
            Cause::OOMKilled,
            Cause::Deadlocked,
            Cause::PodCondition,
            Cause::WorkloadMissing,
            Cause::ImagePull,
            Cause::ConfigError,
            Cause::Unschedulable,
            Cause::QuotaExceeded,
            Cause::InitFailed,
            Cause::NodeLost,
        ];
        ALL.into_iter().find(|cause| cause.as_str() == name)
    }
}

/// One thing wrong with one container (or pod, or the workload).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Pod name; the workload's where the workload itself is meant.
    pub pod: String,
    /// Pod UID; empty for the workload.
    pub uid: String,
    /// Container name; empty for the pod as a whole.
    pub container: String,
    /// The probe that told.
    pub probe: Option<Probe>,
    /// What is wrong.
    pub cause: Cause,
    /// Named root cause, where a rule matched.
    pub diagnosis: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// It crossed its threshold: it counts as unwell and may be acted on.
    pub lasting: bool,
    /// One sentence for people.
    pub message: String,
}

impl Finding {
    /// Whether both speak of the same trouble in the same place.
    pub fn same_as(&self, other: &Self) -> bool {
        self.uid == other.uid && self.container == other.container && self.cause == other.cause
    }
}

/// All findings about the pods, in a stable order: by pod, then container.
pub fn findings(
    workload: &Workload,
    pods: &[Pod],
    memory: &Memory,
    policy: &HealthPolicy,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Vec<Finding> {
    let bare = matches!(workload, Workload::Present(state) if state.kind == WorkloadKind::Pod);
    let mut found: Vec<Finding> = Vec::new();
    for pod in pods.iter().filter(|pod| !pod.deleting) {
        match whole_pod(pod, bare, memory, policy, wakeups, now) {
            Some(finding) => found.push(finding),
            None => {
                let of_containers = containers(pod, memory, policy, wakeups, now);
                found.extend(of_containers.into_iter().map(|finding| stuck_on_old_revision(pod, finding)));
            }
        }
    }
    for finding in &mut found {
        // What was found before began then: `since` must not move with every look.
        let known = memory.findings.iter().find(|known| known.same_as(finding));
        finding.since = known.map_or(finding.since, |known| known.since.min(now));
    }
    found.sort_by(|a, b| (&a.pod, &a.container).cmp(&(&b.pod, &b.container)));
    found
}

/// A StatefulSet waits for a broken pod of an old revision before it replaces it by a repaired one, for ever: here
/// replacing the pod helps whatever the cause.
fn stuck_on_old_revision(pod: &Pod, finding: Finding) -> Finding {
    if !(pod.old_revision && finding.lasting) {
        return finding;
    }
    let message = format!("stuck on an old revision: {}", finding.message);
    Finding { cause: Cause::Deadlocked, message, ..finding }
}

/// What concerns the pod as a whole and makes a look at its containers pointless.
fn whole_pod(
    pod: &Pod,
    bare: bool,
    memory: &Memory,
    policy: &HealthPolicy,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Option<Finding> {
    let finding = |cause, lasting, message: String| {
        Some(Finding {
            pod: pod.name.clone(),
            uid: pod.uid.clone(),
            container: String::new(),
            probe: None,
            cause,
            diagnosis: None,
            since: now,
            lasting,
            message,
        })
    };
    if node_lost(pod) {
        return finding(Cause::NodeLost, true, "its node does not answer; the containers may be well".into());
    }
    if let Some(message) = &pod.unschedulable {
        return finding(Cause::Unschedulable, true, message.clone());
    }
    if pod.phase == Phase::Failed {
        let why = pod.reason.as_deref().unwrap_or("its containers ended badly");
        // A controller replaces its failed pods by itself; only a bare pod stays down.
        return finding(Cause::Deadlocked, bare, format!("the pod failed: {why}"));
    }
    for named in &policy.pod_conditions {
        let Some((_, _, since)) =
            pod.conditions.iter().find(|(kind, status, _)| *kind == named.kind && *status == named.status)
        else {
            continue;
        };
        let since = since.unwrap_or(now).min(now);
        wakeups.at(after(since, named.lasting), now);
        if elapsed(since, now) >= named.lasting {
            return finding(Cause::PodCondition, true, format!("condition {} is {}", named.kind, named.status));
        }
    }
    let gate_since = memory.container(&pod.uid, "").and_then(|entry| entry.not_ready_since)?;
    let lasting = lasts(gate_since, policy.not_ready, wakeups, now);
    let reason = match &pod.ready {
        Readiness::NotReady(Some(reason)) => reason.as_str(),
        Readiness::NotReady(None) | Readiness::Ready(_) | Readiness::Unknown => "not ready",
    };
    let message = format!("all containers are ready but the pod is not ({reason}) since {gate_since:.0}");
    finding(Cause::ReadinessFailed, lasting, message).map(|found| Finding { since: gate_since, ..found })
}

/// A lost node turns `Ready` False without a reason while every container stays ready, as recorded in `node-lost`.
pub fn node_lost(pod: &Pod) -> bool {
    let silent = matches!(&pod.ready, Readiness::NotReady(None)) && pod.phase == Phase::Running;
    let all_ready = pod.containers.iter().all(|container| container.role == Role::Init || container.ready);
    (silent && all_ready && !pod.containers.is_empty())
        || pod.reason.as_deref() == Some("NodeLost")
        || (matches!(pod.ready, Readiness::Unknown) && pod.phase == Phase::Unknown)
}

fn containers(
    pod: &Pod,
    memory: &Memory,
    policy: &HealthPolicy,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for container in &pod.containers {
        let entry = memory.container(&pod.uid, &container.name).cloned().unwrap_or_default();
        let finding = match container.role {
            Role::Init => init(pod, container, &entry, now),
            Role::Sidecar | Role::Main => blocked_start(pod, container, now)
                .or_else(|| crash(pod, container, &entry, known_cause(pod, container, memory), policy, wakeups, now))
                .or_else(|| unready(pod, container, &entry, policy, wakeups, now)),
        };
        found.extend(finding);
    }
    found
}

fn about(pod: &Pod, container: &Container, cause: Cause, since: Timestamp, lasting: bool, message: String) -> Finding {
    Finding {
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        container: container.name.clone(),
        probe: None,
        cause,
        diagnosis: last_end(container).and_then(|end| end.diagnosis.as_ref()).map(|diagnosis| diagnosis.name.clone()),
        since,
        lasting,
        message,
    }
}

/// How the container ended, most recently.
fn last_end(container: &Container) -> Option<&Termination> {
    match &container.state {
        ContainerState::Terminated(end) => Some(end),
        ContainerState::Waiting { .. } | ContainerState::Running(_) | ContainerState::Unknown => {
            container.last.as_ref()
        }
    }
}

/// Waiting reasons that a restart cannot change. Seen at once: nothing is done about them anyway.
fn blocked_start(pod: &Pod, container: &Container, now: Timestamp) -> Option<Finding> {
    let ContainerState::Waiting { reason, message } = &container.state else { return None };
    let cause = match reason.as_str() {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable"
        | "ImageInspectError"
        | "SignatureValidationFailed" => Cause::ImagePull,
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Cause::ConfigError,
        _ => return None,
    };
    let text = if message.is_empty() { reason.clone() } else { format!("{reason}: {message}") };
    Some(about(pod, container, cause, now, true, text))
}

/// An init container that fails keeps the pod from starting: a new pod would meet the same world.
fn init(pod: &Pod, container: &Container, entry: &ContainerMemory, now: Timestamp) -> Option<Finding> {
    if let Some(finding) = blocked_start(pod, container, now) {
        return Some(finding);
    }
    let failed_now = matches!(&container.state, ContainerState::Terminated(end) if end.exit_code != 0);
    let looping = matches!(&container.state, ContainerState::Waiting { reason, .. } if reason == CRASH_LOOP_BACK_OFF);
    let retrying = container.restart_count > 0 && matches!(container.state, ContainerState::Running(_));
    if !(failed_now || looping || retrying) {
        return None;
    }
    let end = last_end(container)?;
    let since = entry.restarts.first().copied().or(entry.crash_loop_since).unwrap_or(now);
    let message = format!("init container {} exited {}{}", container.name, end.exit_code, quoted(&end.message));
    Some(about(pod, container, Cause::InitFailed, since, true, message))
}

/// What was found about the container last time.
fn known_cause(pod: &Pod, container: &Container, memory: &Memory) -> Option<Cause> {
    let same = |known: &&Finding| known.uid == pod.uid && known.container == container.name;
    memory.findings.iter().find(same).map(|known| known.cause)
}

/// Restarts inside the window, or a crash loop that lasts.
fn crash(
    pod: &Pod,
    container: &Container,
    entry: &ContainerMemory,
    known: Option<Cause>,
    policy: &HealthPolicy,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Option<Finding> {
    let restarts = in_window(entry, policy.restart_window, now);
    if let Some(&oldest) = entry.restarts.first() {
        wakeups.at(after(oldest, policy.restart_window), now);
    }
    let down = matches!(&container.state, ContainerState::Waiting { reason, .. } if reason == CRASH_LOOP_BACK_OFF)
        || matches!(&container.state, ContainerState::Terminated(end) if end.exit_code != 0);
    if restarts == 0 && entry.crash_loop_since.is_none() && !down {
        return None;
    }
    let looped = entry.crash_loop_since.is_some_and(|since| lasts(since, policy.crash_loop, wakeups, now));
    let lasting = restarts >= policy.restart_threshold || looped;
    let end = last_end(container).cloned().unwrap_or_default();
    if policy.ignore_exit_codes.contains(&end.exit_code) && !lasting {
        return None;
    }
    let (cause, probe) = cause_of_end(container, &end, known);
    let since = entry.restarts.first().copied().or(entry.crash_loop_since).unwrap_or(now);
    let latest = entry.restarts.last().copied().unwrap_or(since);
    let message = describe_crash(container, &end, cause, restarts, elapsed(since, latest));
    let mut finding = about(pod, container, cause, since, lasting, message);
    finding.probe = probe;
    Some(finding)
}

fn describe_crash(
    container: &Container,
    end: &Termination,
    cause: Cause,
    restarts: u32,
    length: SignedDuration,
) -> String {
    let how = match cause {
        Cause::OOMKilled => "ran out of memory".to_owned(),
        Cause::LivenessFailed => "was killed by its liveness probe".to_owned(),
        Cause::StartupFailed => "did not start in time for its startup probe".to_owned(),
        _ => format!("exited {}", end.exit_code),
    };
    let diagnosis =
        end.diagnosis.as_ref().map(|found| format!(" [{}: {}]", found.name, found.advice)).unwrap_or_default();
    let times = if restarts == 1 { "1 restart".to_owned() } else { format!("{restarts} restarts") };
    let span = if length.is_zero() { String::new() } else { format!(" in {}", spoken(length)) };
    format!("{} {how}, {times}{span}{}{diagnosis}", container.name, quoted(&end.message))
}

fn quoted(message: &str) -> String {
    let line = message.trim().lines().last().unwrap_or_default();
    if line.is_empty() { String::new() } else { format!(": {line}") }
}

/// An Event this near to the end of a container speaks of that end.
const EVENT_NEAR: SignedDuration = SignedDuration::from_secs(120);

/// Names the cause from how the container ended. The Event of that end, where one was seen, settles it: a process that
/// handles SIGTERM may exit with any code. Without one, SIGKILL and SIGTERM (137, 143) of a container with the matching
/// probe are taken for the kubelet's doing.
fn cause_of_end(container: &Container, end: &Termination, known: Option<Cause>) -> (Cause, Option<Probe>) {
    if end.reason == "OOMKilled" {
        return (Cause::OOMKilled, None);
    }
    let killed = matches!(end.exit_code, 137 | 143);
    let told = container.probe_event.filter(|(_, seen)| match (seen, end.finished) {
        (Some(seen), Some(finished)) => seen.duration_since(finished).abs() <= EVENT_NEAR,
        (None, _) | (_, None) => killed,
    });
    match told {
        Some((Probe::Startup, _)) => return (Cause::StartupFailed, Some(Probe::Startup)),
        Some((Probe::Liveness, _)) => return (Cause::LivenessFailed, Some(Probe::Liveness)),
        Some((Probe::Readiness, _)) | None => {}
    }
    // The kubelet stops sending Events about a pod that causes many: what the first ones said still holds.
    match known.filter(|_| killed || end.exit_code == 0) {
        Some(Cause::StartupFailed) => return (Cause::StartupFailed, Some(Probe::Startup)),
        Some(Cause::LivenessFailed) => return (Cause::LivenessFailed, Some(Probe::Liveness)),
        _ => {}
    }
    if killed && ended_while_starting(container, end) {
        (Cause::StartupFailed, Some(Probe::Startup))
    } else if killed && container.has_liveness {
        (Cause::LivenessFailed, Some(Probe::Liveness))
    } else {
        (Cause::CrashLoop, None)
    }
}

fn ended_while_starting(container: &Container, end: &Termination) -> bool {
    let Some(budget) = container.startup_budget else { return false };
    match end.started.zip(end.finished) {
        // The kubelet's grace period comes on top of the budget: allow for it.
        Some((from, to)) => elapsed(from, to) <= budget.saturating_add(SignedDuration::from_secs(30)),
        None => !container.started,
    }
}

/// Unready for less than this is how every pod begins and ends.
const WORTH_A_WORD: SignedDuration = SignedDuration::from_secs(15);

/// Runs, had its time to start, and is not ready.
fn unready(
    pod: &Pod,
    container: &Container,
    entry: &ContainerMemory,
    policy: &HealthPolicy,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Option<Finding> {
    let since = entry.not_ready_since?;
    if !matches!(container.state, ContainerState::Running(_)) || is_starting(container, policy, wakeups, now) {
        return None;
    }
    // Unready time counts from the end of the grace, else a slow start would use up the patience for what follows.
    let ready_due = running_since(container, now).map_or(since, |running| after(running, grace(container, policy)));
    let counted = since.max(ready_due.min(now));
    let lasting = lasts(counted, policy.not_ready, wakeups, now);
    if !lasts(counted, WORTH_A_WORD.min(policy.not_ready), wakeups, now) {
        return None;
    }
    let message = format!("{} runs but is not ready since {since:.0}", container.name);
    let mut finding = about(pod, container, Cause::ReadinessFailed, since, lasting, message);
    finding.probe = Some(Probe::Readiness);
    Some(finding)
}

/// The time that the container may take to start.
pub fn grace(container: &Container, policy: &HealthPolicy) -> SignedDuration {
    policy.startup_grace.max(container.startup_budget.unwrap_or_default())
}

fn running_since(container: &Container, now: Timestamp) -> Option<Timestamp> {
    match &container.state {
        ContainerState::Running(since) => Some(since.unwrap_or(now).min(now)),
        ContainerState::Waiting { .. } | ContainerState::Terminated(_) | ContainerState::Unknown => None,
    }
}

/// Whether the container still has a right to be unready.
pub fn is_starting(container: &Container, policy: &HealthPolicy, wakeups: &mut Wakeups, now: Timestamp) -> bool {
    let Some(since) = running_since(container, now) else {
        return matches!(&container.state, ContainerState::Waiting { reason, .. }
            if matches!(reason.as_str(), "ContainerCreating" | "PodInitializing" | ""));
    };
    if container.ready {
        return false;
    }
    let due = after(since, grace(container, policy));
    wakeups.at(due, now);
    now < due
}

fn lasts(since: Timestamp, threshold: SignedDuration, wakeups: &mut Wakeups, now: Timestamp) -> bool {
    wakeups.at(after(since, threshold), now);
    elapsed(since, now) >= threshold
}
