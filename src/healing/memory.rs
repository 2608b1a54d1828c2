//! What a decision leaves for the next one. It lives in the object's status and nowhere else, so that a restart or a
//! failover of the controller changes nothing.
//!
//! Bounds keep the status small; what falls out is the oldest.

use jiff::Timestamp;

use super::{
    SPACING,
    alarm::Alarm,
    cause::Finding,
    log::{LogRead, MAX_LOGS},
    plan::{Action, Plan},
    policy::Policy,
    reaction::Reaction,
    reason::Reason,
    recovery::{MAX_PODS, Recovery},
    time::{after, clamp},
};

/// Containers remembered at most.
pub const MAX_CONTAINERS: usize = 256;
/// Restart times remembered for one container.
pub const MAX_RESTARTS: usize = 64;
/// Actions remembered for the breaker.
pub const MAX_ACTIONS: usize = 64;
/// Actions remembered for a ceiling: no ceiling is higher.
pub const MAX_RECENT: usize = 60;
/// Rollbacks remembered.
pub const MAX_ROLLBACKS: usize = 8;
/// History entries shown to people.
pub const MAX_HISTORY: usize = 20;

/// All that is remembered between two decisions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// First decision about this object.
    pub observed_since: Option<Timestamp>,
    /// Healthy since then; empty while it is anything else.
    pub healthy_since: Option<Timestamp>,
    /// Begin of the current or last unhealthy time. A repair in flight prolongs it.
    pub unhealthy_since: Option<Timestamp>,
    /// End of the last unhealthy time.
    pub unhealthy_until: Option<Timestamp>,
    /// First live 404 of the workload.
    pub missing_since: Option<Timestamp>,
    /// Desired pods when the workload was last seen.
    pub last_replicas: Option<u32>,
    /// The workload announced its own deletion when it was last seen.
    pub intentional_delete: bool,
    /// No action before this.
    pub not_before: Option<Timestamp>,
    /// What the API server said when it refused the last action; empty where `not_before` is a back-off.
    pub refused: Option<String>,
    /// It was said to be degraded, and has not been said to be well since.
    pub degraded: bool,
    /// A dependency held the service when last looked at.
    pub held: bool,
    /// When the dependencies got well: what went wrong before that was their fault and counts for nothing.
    pub released_at: Option<Timestamp>,
    /// What an outage of a dependency left to do.
    pub recovery: Option<Recovery>,
    /// What logs told of how containers ended.
    pub logs: Vec<LogRead>,
    /// Restart counters.
    pub containers: Vec<ContainerMemory>,
    /// Since when the workload's controller has made no progress towards what is wanted; empty while all is in place.
    pub progress: Option<Progress>,
    /// What was found last time, so that `since` stays.
    pub findings: Vec<Finding>,
    /// The repair whose effect is awaited.
    pub in_flight: Option<InFlight>,
    /// Actions inside the breaker's windows.
    pub actions: Vec<ActionRecord>,
    /// When the actions of the last hour began, oldest first, whatever became of them: what a ceiling counts.
    pub recent: Vec<Timestamp>,
    /// Rollbacks, so that none is made the same way twice.
    pub rollbacks: Vec<RollbackRecord>,
    /// ControllerRevision with the last definition that was healthy for the stabilization time.
    pub stable: Option<String>,
    /// The breaker.
    pub circuit: Circuit,
    /// What was changed because the breaker opened.
    pub reaction: Option<Reaction>,
    /// What fires, and who knows.
    pub alarms: Vec<Alarm>,
    /// For people: what was done, newest last.
    pub history: Vec<HistoryEntry>,
    /// Last value handled of `kubeheal.dev/heal-now`.
    pub handled_heal_now: Option<String>,
    /// Last value handled of `kubeheal.dev/reset-breaker`.
    pub handled_reset: Option<String>,
    /// Number of the last action, for ids.
    pub last_action_id: i64,
}

/// What is remembered of one container of one pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerMemory {
    /// Pod UID.
    pub uid: String,
    /// Container name; empty stands for the pod as a whole.
    pub container: String,
    /// `restartCount` when last looked at.
    pub restart_count: u32,
    /// When the restarts since then were seen, oldest first.
    pub restarts: Vec<Timestamp>,
    /// It is in a crash loop since then.
    pub crash_loop_since: Option<Timestamp>,
    /// It is unready since then.
    pub not_ready_since: Option<Timestamp>,
    /// The pod is pending since then; only of the pod as a whole.
    pub pending_since: Option<Timestamp>,
    /// While a repair must prove itself: the pod is ready since then, by our clock; only of the pod as a whole.
    pub ready_since: Option<Timestamp>,
    /// The last end that came before the dependencies were well again: so many count for nothing.
    pub forgiven: u32,
}

/// How far the workload's controller has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The template, how many pods there are and how many are made from it.
    pub mark: String,
    /// Since when that has not changed.
    pub since: Timestamp,
}

/// A repair whose effect is awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// Number of the action.
    pub id: i64,
    /// What was done.
    pub action: Action,
    /// Why.
    pub cause: Reason,
    /// When the intent was recorded.
    pub started: Timestamp,
    /// It counts as ineffective from then on.
    pub verify_by: Timestamp,
    /// Pods that were ready when it began, the target not counted. More of them, steadily, is success.
    pub ready_before: u32,
}

/// One action, as the breaker counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRecord {
    /// When it began.
    pub time: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

/// One rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackRecord {
    /// When it began.
    pub time: Timestamp,
    /// Hash of the pod template that was left.
    pub from: String,
    /// Hash of the pod template that was brought back.
    pub to: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Not known yet.
    Pending,
    /// The workload got well and stayed so.
    Verified,
    /// It did not, or nobody can tell.
    Ineffective,
    /// The API server refused it.
    Failed,
    /// It was not needed any more, or never made; not charged.
    Dropped,
}

impl Outcome {
    /// The outcome's name in status and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Verified => "Verified",
            Self::Ineffective => "Ineffective",
            Self::Failed => "Failed",
            Self::Dropped => "Dropped",
        }
    }

    /// The outcome of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Verified, Self::Ineffective, Self::Failed, Self::Dropped]
            .into_iter()
            .find(|outcome| outcome.as_str() == name)
    }
}

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub time: Timestamp,
    /// The step: a rung or something done to the breaker.
    pub step: String,
    /// To what.
    pub target: String,
    /// Why.
    pub cause: String,
    /// How it ended.
    pub outcome: Outcome,
    /// A sentence for people, where there is more to say.
    pub message: Option<String>,
}

impl HistoryEntry {
    /// A step that begins now; how it ends is not known yet.
    pub fn pending(plan: &Plan, message: Option<String>, now: Timestamp) -> Self {
        Self {
            time: now,
            step: plan.action.step.as_str().to_owned(),
            target: plan.action.target.clone(),
            cause: plan.cause.as_str().to_owned(),
            outcome: Outcome::Pending,
            message,
        }
    }
}

/// The breaker's memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circuit {
    /// Its state.
    pub state: CircuitState,
    /// Openings since the last reset: the exponent of the open time.
    pub openings: u32,
    /// When it opened.
    pub opened_at: Option<Timestamp>,
    /// When one trial will be allowed.
    pub retry_at: Option<Timestamp>,
    /// When it last closed: older actions are not counted again.
    pub closed_at: Option<Timestamp>,
    /// Pod template on which it opened: a new one deserves a trial at once.
    pub template: Option<String>,
    /// The value of `kubeheal.dev/force-open` that holds it open.
    pub forced: Option<String>,
}

/// Closed lets actions through, Open none, HalfOpen one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CircuitState {
    /// Actions are allowed.
    #[default]
    Closed,
    /// No action.
    Open,
    /// One trial.
    HalfOpen,
}

impl CircuitState {
    /// The state's name in status, metrics and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "Closed",
            Self::Open => "Open",
            Self::HalfOpen => "HalfOpen",
        }
    }
}

impl Memory {
    /// Pulls every instant that claims to lie in the future back to `now`, except deadlines that we set ourselves.
    #[must_use]
    pub fn clamped(mut self, now: Timestamp) -> Self {
        for instant in [
            &mut self.observed_since,
            &mut self.healthy_since,
            &mut self.unhealthy_since,
            &mut self.unhealthy_until,
            &mut self.missing_since,
            &mut self.released_at,
            &mut self.circuit.opened_at,
            &mut self.circuit.closed_at,
        ] {
            *instant = instant.map(|time| clamp(time, now));
        }
        for container in &mut self.containers {
            container.crash_loop_since = container.crash_loop_since.map(|time| clamp(time, now));
            container.not_ready_since = container.not_ready_since.map(|time| clamp(time, now));
            container.pending_since = container.pending_since.map(|time| clamp(time, now));
            container.ready_since = container.ready_since.map(|time| clamp(time, now));
            for time in &mut container.restarts {
                *time = clamp(*time, now);
            }
        }
        for time in self.actions.iter_mut().map(|action| &mut action.time) {
            *time = clamp(*time, now);
        }
        for alarm in &mut self.alarms {
            alarm.since = clamp(alarm.since, now);
            alarm.resolved = alarm.resolved.map(|time| clamp(time, now));
            for told in &mut alarm.told {
                // Else a clock that jumped silences the repetition.
                told.at = told.at.map(|(time, severity)| (clamp(time, now), severity));
            }
        }
        for time in self.rollbacks.iter_mut().map(|rollback| &mut rollback.time) {
            *time = clamp(*time, now);
        }
        if let Some(reaction) = &mut self.reaction {
            reaction.since = clamp(reaction.since, now);
        }
        // Both, because the one is found by the other.
        for time in self.history.iter_mut().map(|entry| &mut entry.time) {
            *time = clamp(*time, now);
        }
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.started = clamp(in_flight.started, now);
        }
        if let Some(progress) = &mut self.progress {
            progress.since = clamp(progress.since, now);
        }
        if let Some(recovery) = &mut self.recovery {
            recovery.down_since = recovery.down_since.map(|time| clamp(time, now));
            recovery.recovered = recovery.recovered.map(|time| clamp(time, now));
        }
        for time in &mut self.recent {
            *time = clamp(*time, now);
        }
        self.bounded()
    }

    /// Pulls deadlines that lie further ahead than any that this policy sets back to there: a clock that jumped must not hold
    /// for ever.
    #[must_use]
    pub fn with_near_deadlines(mut self, policy: &Policy, now: Timestamp) -> Self {
        let pause = policy.remediation.backoff_max.max(policy.remediation.backoff_initial).max(SPACING);
        self.not_before = self.not_before.map(|until| until.min(after(now, pause)));
        self.circuit.retry_at = self.circuit.retry_at.map(|until| until.min(after(now, policy.breaker.max_open)));
        if let Some(reaction) = &mut self.reaction {
            let pause = after(now, pause);
            reaction.retry_at = reaction.retry_at.map(|until| until.min(pause));
        }
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.verify_by = in_flight.verify_by.min(after(now, policy.remediation.verify));
        }
        self
    }

    /// Drops the oldest of what is more than we ever write.
    fn bounded(mut self) -> Self {
        newest(&mut self.actions, MAX_ACTIONS);
        newest(&mut self.recent, MAX_RECENT);
        newest(&mut self.rollbacks, MAX_ROLLBACKS);
        newest(&mut self.history, MAX_HISTORY);
        newest(&mut self.logs, MAX_LOGS);
        if let Some(recovery) = &mut self.recovery {
            recovery.pods.truncate(MAX_PODS);
        }
        for container in &mut self.containers {
            newest(&mut container.restarts, MAX_RESTARTS);
        }
        self
    }

    /// Ends a back-off. What the API server refused is not tried sooner for that.
    pub fn end_back_off(&mut self) {
        if self.refused.is_none() {
            self.not_before = None;
        }
    }

    /// Forgets a pause that is over.
    pub fn end_pause(&mut self, now: Timestamp) {
        if self.not_before.is_none_or(|until| until <= now) {
            (self.not_before, self.refused) = (None, None);
        }
    }

    /// What is remembered of a container.
    pub fn container(&self, uid: &str, container: &str) -> Option<&ContainerMemory> {
        self.containers.iter().find(|known| known.uid == uid && known.container == container)
    }

    /// Adds a line to the history and drops the oldest beyond the bound.
    pub fn record(&mut self, entry: HistoryEntry) {
        self.history.push(entry);
        newest(&mut self.history, MAX_HISTORY);
    }
}

fn newest<T>(entries: &mut Vec<T>, most: usize) {
    entries.drain(..entries.len().saturating_sub(most));
}
