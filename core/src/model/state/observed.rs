//! What was seen of the workload and its pods.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer};

use super::{
    is_default,
    log_evidence::{LogRead, MAX_LOGS},
    past,
};
use crate::model::{
    bounded::Bounded,
    cause::Cause,
    finding::{Finding, Place},
    moment::{before, clamp},
    snapshot::Container,
    text::{MAX_LABEL, MAX_MESSAGE, MAX_UID, cut, fits},
};

/// Containers remembered at most; as many pods.
pub const MAX_CONTAINERS: usize = 256;
/// Containers whose starts are remembered.
pub const MAX_STARTS: usize = 32;
/// Findings remembered at most, the oldest first: whatever comes and goes beside them, they stay known.
pub const MAX_FINDINGS: usize = 32;
/// Restart times remembered for one container: more than the highest threshold.
pub const MAX_RESTARTS: usize = 64;

/// No start is said to have taken longer, in seconds: a policy's patience and a probe's are a day each at most.
pub const LONGEST_START: u32 = 172_800;

/// What was seen of the workload and its pods.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservedState {
    /// First decision about this object. What happened before was not seen and is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// First live 404 of the workload. It counts as gone only when asked again later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
    /// Desired pods when the workload was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_replicas: Option<u32>,
    /// The workload announced its own deletion when it was last seen: once it is gone, nobody can look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub intentional_delete: bool,
    /// Restart counters, by pod and name. While a decision is made there may be more of them than can be remembered.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "bounded")]
    #[schemars(with = "Bounded<ContainerRecord, MAX_CONTAINERS>")]
    pub containers: Vec<ContainerRecord>,
    /// Pods that are not as they should be, are being verified, or are on a node whose boot ID is known, in the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "bounded")]
    #[schemars(with = "Bounded<PodRecord, MAX_CONTAINERS>")]
    pub pods: Vec<PodRecord>,
    /// Since when the workload's controller has made no progress towards what is wanted; absent while all is in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// There are more containers, or pods, in trouble than can be remembered, since then: of one that is not known its trouble is
    /// as old as its own words say, and no older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd_since: Option<Timestamp>,
    /// How long starts of the workload's template took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<SeenStarts>,
    /// What was found last time, so that `since` stays.
    #[serde(default, skip_serializing_if = "Bounded::is_empty")]
    pub findings: Bounded<KnownFinding, MAX_FINDINGS>,
    /// What logs told of how containers ended.
    #[serde(default, skip_serializing_if = "Bounded::is_empty")]
    pub logs: Bounded<LogRead, MAX_LOGS>,
}

/// What is remembered of one container of one pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerRecord {
    /// Pod UID: a new pod of the same name starts with a new record.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// Container name.
    #[schemars(length(max = 63))]
    pub container: String,
    /// `restartCount` when last observed. Only what it grows by counts, never the count itself.
    pub restart_count: u32,
    /// When it was seen to grow, oldest first: the pod tells how often it restarted, and not when.
    #[serde(default, skip_serializing_if = "Bounded::is_empty")]
    pub restarts: Bounded<Timestamp, MAX_RESTARTS>,
    /// It is in a crash loop since then, seen as one stretch: between two attempts it runs for a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash_loop_since: Option<Timestamp>,
    /// It has been started but is not ready since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ready_since: Option<Timestamp>,
    /// It runs since then, by our own clock: its node's may be wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_since: Option<Timestamp>,
    /// It was ready since it runs: its start is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_ready: bool,
    /// It has ended and was not started again since then, by our own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_since: Option<Timestamp>,
    /// So many of its ends were taken in.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ends: u32,
    /// So many of those came one after the other, each before the kubelet had forgotten the one before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub relapses: u32,
    /// What its kubelet said of a hook that failed, and with the how many-th end: a moment later it says that it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_hook: Option<FailedHook>,
    /// So many times it had ended before the dependencies were well again: those count for nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forgiven: u32,
    /// `restartCount` was last seen to grow then, by our own clock, whether that counted or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted: Option<Timestamp>,
    /// The end that came with the latest boot of its node: it counts for nothing, and neither does the restart after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_end: Option<BootEnd>,
}

/// What is remembered of one pod as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodRecord {
    /// Its UID.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// Its containers are ready and it is not, since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ready_since: Option<Timestamp>,
    /// It is pending, or initializes again, since then; each step of its start begins the time anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_since: Option<Timestamp>,
    /// So many of its init containers have done their part then.
    #[serde(default, skip_serializing_if = "is_default")]
    pub steps: u32,
    /// It is being deleted since then, by our own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleting_since: Option<Timestamp>,
    /// While a repair is being verified: it is ready since then, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_since: Option<Timestamp>,
    /// Digest of the boot ID of its node; absent where nodes may not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub boot: Option<String>,
    /// That is another one than before since then, by our own clock: its containers start again, once each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booted_since: Option<Timestamp>,
}

/// The end of a container that came with a boot of its node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BootEnd {
    /// The how many-th end it is; 0 for a container that did not run at that time.
    pub end: u32,
    /// Since when that boot was known.
    pub booted: Timestamp,
}

/// What the kubelet said of a hook that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedHook {
    /// The how many-th end of the container came with it.
    pub end: u32,
    /// Its words.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// How long starts of one pod template took.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeenStarts {
    /// Hash of the template.
    #[schemars(length(max = 128))]
    pub template: String,
    /// The slowest start that was seen of each container.
    #[serde(default, skip_serializing_if = "Bounded::is_empty")]
    pub slowest: Bounded<SlowestStart, MAX_STARTS>,
}

/// The slowest start that was seen of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlowestStart {
    /// Name of the container.
    #[schemars(length(max = 63))]
    pub container: String,
    /// Seconds from when it was seen to run until it was ready.
    #[schemars(range(max = 172_800))]
    pub seconds: u32,
}

/// How far the workload's controller has come.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The template, how many pods there are and how many are made from it.
    #[schemars(length(max = 128))]
    pub mark: String,
    /// Since when that has not changed.
    pub since: Timestamp,
}

/// What tells a finding from another, and since when it stands; all else is found again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KnownFinding {
    /// UID of the pod; absent for the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub uid: Option<String>,
    /// Name of the container; absent for the pod as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub container: Option<String>,
    /// What is wrong.
    pub cause: Cause,
    /// Since when.
    pub since: Timestamp,
}

impl ObservedState {
    /// What is remembered of a container.
    pub fn container(&self, uid: &str, container: &str) -> Option<&ContainerRecord> {
        let key = |known: &ContainerRecord| (known.uid.as_str(), known.container.as_str()).cmp(&(uid, container));
        self.containers.binary_search_by(key).ok().and_then(|index| self.containers.get(index))
    }

    /// Since when something stands that is seen now and is not known, which began `said` by its own words. Under our eyes it began
    /// now; among more than can be remembered it may have been seen before.
    pub fn first_seen(&self, said: Option<Timestamp>, now: Timestamp) -> Timestamp {
        self.crowd_since.zip(said).map_or(now, |(crowd, said)| clamp(crowd.max(said), now))
    }

    /// The slowest start that was seen of a container; none is nothing.
    pub fn slowest_start(&self, container: &str) -> SignedDuration {
        let mut known = self.starts.iter().flat_map(|starts| &starts.slowest);
        let found = known.find(|one| one.container == container);
        found.map_or(SignedDuration::ZERO, |one| SignedDuration::from_secs(one.seconds.into()))
    }

    /// What is remembered of a pod as a whole.
    pub fn pod(&self, uid: &str) -> Option<&PodRecord> {
        let index = self.pods.binary_search_by(|known| known.uid.as_str().cmp(uid)).ok()?;
        self.pods.get(index)
    }

    /// The latest end of a container came with its node: it says so itself, or the node has booted.
    pub fn ended_with_node(&self, uid: &str, container: &Container) -> bool {
        let booted = |record: &ContainerRecord| record.came_with_boot(container);
        container
            .last_termination()
            .is_some_and(|end| end.is_made_up() || self.container(uid, &container.name).is_some_and(booted))
    }

    /// Since when this trouble in this place is known, whatever it was named.
    pub fn known_since(&self, place: &Place, cause: Cause) -> Option<Timestamp> {
        let is_it = |known: &&KnownFinding| {
            known.cause.trouble() == cause.trouble()
                && known.uid.as_deref() == place.uid()
                && known.container.as_deref() == place.container()
        };
        self.findings.iter().find(is_it).map(|known| known.since)
    }

    /// There is more to remember than can be. What is known of the nodes of pods that are well is not counted: others that are well
    /// tell the same.
    pub fn is_crowd(&self) -> bool {
        let counts = |known: &&PodRecord| !known.trouble().0 || known.ready_since.is_some();
        self.containers.len() > MAX_CONTAINERS || self.pods.iter().filter(counts).count() > MAX_CONTAINERS
    }

    /// Keeps those with the oldest trouble, where there are more than can be remembered: what lasts must not be forgotten because
    /// more comes. An unchanged world writes an unchanged status.
    pub fn keep_most_troubled(&mut self) {
        if self.containers.len() > MAX_CONTAINERS {
            self.containers.sort_by_cached_key(|known| (known.trouble(), known.uid.clone(), known.container.clone()));
            self.containers.truncate(MAX_CONTAINERS);
        }
        if self.pods.len() > MAX_CONTAINERS {
            self.pods.sort_by_cached_key(|known| (known.trouble(), known.uid.clone()));
            self.pods.truncate(MAX_CONTAINERS);
        }
        self.sort();
    }

    /// As they are looked up.
    fn sort(&mut self) {
        self.containers.sort_by(|one, other| (&one.uid, &one.container).cmp(&(&other.uid, &other.container)));
        self.pods.sort_by(|one, other| one.uid.cmp(&other.uid));
    }

    pub(super) fn load(&mut self, now: Timestamp) {
        past(&mut self.since, now);
        past(&mut self.missing_since, now);
        past(&mut self.crowd_since, now);
        self.containers.retain(|known| fits(&known.uid, MAX_UID) && fits(&known.container, MAX_LABEL));
        self.pods.retain(|known| fits(&known.uid, MAX_UID));
        self.sort();
        let is_fit = |text: &Option<String>, most| text.as_ref().is_none_or(|text| fits(text, most));
        self.findings.retain(|known| is_fit(&known.uid, MAX_UID) && is_fit(&known.container, MAX_LABEL));
        self.logs.retain(LogRead::is_fit);
        self.progress.take_if(|progress| !fits(&progress.mark, MAX_UID));
        self.starts.take_if(|starts| !fits(&starts.template, MAX_UID));
        if let Some(starts) = &mut self.starts {
            starts.slowest.retain(|one| fits(&one.container, MAX_LABEL));
            starts.slowest.iter_mut().for_each(|one| one.seconds = one.seconds.min(LONGEST_START));
        }
        for container in &mut self.containers {
            past(&mut container.crash_loop_since, now);
            past(&mut container.not_ready_since, now);
            past(&mut container.runs_since, now);
            past(&mut container.ended_since, now);
            past(&mut container.restarted, now);
            if let Some(end) = &mut container.boot_end {
                end.booted = clamp(end.booted, now);
            }
            container.relapses = container.relapses.min(container.ends);
            if let Some(hook) = &mut container.failed_hook {
                hook.message = cut(&hook.message, MAX_MESSAGE);
            }
            container.restarts.iter_mut().for_each(|time| *time = clamp(*time, now));
        }
        for pod in &mut self.pods {
            past(&mut pod.not_ready_since, now);
            past(&mut pod.pending_since, now);
            past(&mut pod.deleting_since, now);
            past(&mut pod.ready_since, now);
            past(&mut pod.booted_since, now);
            pod.boot.take_if(|boot| !fits(boot, MAX_UID));
        }
        for finding in &mut self.findings {
            finding.since = clamp(finding.since, now);
        }
        if let Some(progress) = &mut self.progress {
            progress.since = clamp(progress.since, now);
        }
    }
}

fn bounded<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Bounded::<T, MAX_CONTAINERS>::deserialize(deserializer)?.into_iter().collect())
}

/// What is in trouble for longest comes first.
type Trouble = (bool, Option<Timestamp>, (bool, Reverse<Option<Timestamp>>));

impl PodRecord {
    fn trouble(&self) -> (bool, Option<Timestamp>) {
        let now = [self.not_ready_since, self.pending_since, self.deleting_since];
        let oldest = now.into_iter().flatten().min();
        (oldest.is_none(), oldest)
    }
}

impl ContainerRecord {
    fn trouble(&self) -> Trouble {
        let starts = self.runs_since.filter(|_| !self.was_ready);
        let now = [self.crash_loop_since, self.not_ready_since, self.ended_since, starts];
        let oldest = now.into_iter().flatten().min();
        (oldest.is_none(), oldest, (self.restarts.is_empty(), Reverse(self.restarts.last().copied())))
    }

    /// Its latest end came with a boot of its node.
    pub fn came_with_boot(&self, container: &Container) -> bool {
        let number = container.termination_number();
        number > 0 && self.boot_end.is_some_and(|known| known.end == number)
    }

    /// How many of the ends after the first `seen` and up to that number came with a boot of its node: one or none.
    pub fn of_boot_among(&self, seen: u32, number: u32) -> u32 {
        u32::from(self.boot_end.is_some_and(|known| seen < known.end && known.end <= number))
    }

    /// Restarts inside the window that ends now.
    pub fn restarts_within(&self, window: SignedDuration, now: Timestamp) -> u32 {
        let begin = before(now, window);
        u32::try_from(self.restarts.iter().filter(|&&time| time > begin).count()).unwrap_or(u32::MAX)
    }
}

impl From<&Finding> for KnownFinding {
    fn from(finding: &Finding) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (uid, container) = (owned(finding.place.uid()), owned(finding.place.container()));
        Self { uid, container, cause: finding.cause, since: finding.since }
    }
}
