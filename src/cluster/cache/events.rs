//! What Events said of pods: the latest of each kind, a few for each pod, forgotten with the pod.
//!
//! What is kept is the latest by the Events' own times, so that it is the same in whichever order they are delivered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kubeheal_core::model::{
    cause::Probe,
    snapshot::{PodEvents, SandboxNeed, SandboxTrouble},
};

use crate::cluster::pod_event::{PodEvent, Said};

/// Pods remembered at most. Then the one goes of which nothing has been heard for longest.
const MAX_PODS: usize = 4096;
/// Containers remembered of a pod.
const MAX_CONTAINERS: usize = 16;
/// With this the kubelet sums up what it has said in detail before.
const SUMS_UP: &str = "Unable to attach or mount volumes";

/// By the UID of the pod.
#[derive(Debug, Default)]
pub(super) struct Events(BTreeMap<String, OfPod>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct OfPod {
    volume: Option<Words>,
    runtime: Option<Words>,
    not_ended: Option<Words>,
    containers: BTreeMap<String, OfContainer>,
}

/// Words with the time at which they were said, of which the later ones count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Words {
    /// They say more than that there is trouble.
    precise: bool,
    seen: Option<Timestamp>,
    text: String,
}

/// What Events said of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OfContainer {
    probe: Option<(Option<Timestamp>, Probe)>,
    failed_pre_stop: Option<Timestamp>,
}

impl Events {
    /// Takes in what an Event says. Tells whether it is anything new.
    pub(super) fn apply(&mut self, event: PodEvent) -> bool {
        let PodEvent { pod_uid, said: Some(said), seen, .. } = event else { return false };
        if self.0.len() >= MAX_PODS && !self.0.contains_key(&pod_uid) {
            let oldest = self.0.iter().min_by_key(|(_, pod)| pod.heard());
            if let Some(uid) = oldest.map(|(uid, _)| uid.clone()) {
                self.0.remove(&uid);
            }
        }
        let pod = self.0.entry(pod_uid).or_default();
        let before = (pod.words(), pod.containers.clone());
        pod.apply(said, seen);
        before != (pod.words(), pod.containers.clone())
    }

    /// A pod is gone.
    pub(super) fn forget(&mut self, uid: &str) {
        self.0.remove(uid);
    }

    /// What was said of a pod.
    pub(super) fn of_pod(&self, uid: &str) -> PodEvents {
        self.0.get(uid).map(OfPod::words).unwrap_or_default()
    }

    /// The probe that was named for a container, and when.
    pub(super) fn probe(&self, uid: &str, container: &str) -> Option<(Probe, Option<Timestamp>)> {
        let (seen, probe) = self.of_container(uid, container)?.probe?;
        Some((probe, seen))
    }

    /// When the `preStop` hook of a container failed.
    pub(super) fn failed_pre_stop(&self, uid: &str, container: &str) -> Option<Timestamp> {
        self.of_container(uid, container)?.failed_pre_stop
    }

    fn of_container(&self, uid: &str, container: &str) -> Option<&OfContainer> {
        self.0.get(uid)?.containers.get(container)
    }
}

impl OfPod {
    fn apply(&mut self, told: Said, seen: Option<Timestamp>) {
        let said = |text: String| Some(Words { precise: !text.starts_with(SUMS_UP), seen, text });
        match told {
            Said::Probe(name, probe) => {
                let of = self.container(name);
                of.probe = of.probe.max(Some((seen, probe)));
            }
            // Without a time nobody knows of which run it speaks.
            Said::PreStopFailed(name) if seen.is_some() => {
                let of = self.container(name);
                of.failed_pre_stop = of.failed_pre_stop.max(seen);
            }
            Said::PreStopFailed(_) => {}
            Said::NoSandbox(SandboxTrouble { about: SandboxNeed::Volume, words }) => {
                self.volume = self.volume.take().max(said(words));
            }
            Said::NoSandbox(SandboxTrouble { about: SandboxNeed::Runtime, words }) => {
                self.runtime = self.runtime.take().max(said(words));
            }
            Said::NotEnded(words) => self.not_ended = self.not_ended.take().max(said(words)),
        }
    }

    fn container(&mut self, name: String) -> &mut OfContainer {
        if self.containers.len() >= MAX_CONTAINERS && !self.containers.contains_key(&name) {
            let oldest = self.containers.iter().min_by_key(|(_, container)| container.heard());
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                self.containers.remove(&name);
            }
        }
        self.containers.entry(name).or_default()
    }

    /// Volumes come before the sandbox: who failed to make one had them.
    fn words(&self) -> PodEvents {
        let later = |(runtime, volume): (&Words, &Words)| runtime.seen >= volume.seen;
        let of_runtime = self.runtime.as_ref().zip(self.volume.as_ref()).map_or(self.runtime.is_some(), later);
        let (about, said) =
            if of_runtime { (SandboxNeed::Runtime, &self.runtime) } else { (SandboxNeed::Volume, &self.volume) };
        let trouble = |said: &Words| SandboxTrouble { about, words: said.text.clone() };
        PodEvents {
            no_sandbox: said.as_ref().map(trouble),
            not_ended: self.not_ended.as_ref().map(|said| said.text.clone()),
        }
    }

    fn heard(&self) -> Option<Timestamp> {
        let words = [&self.volume, &self.runtime, &self.not_ended].into_iter().flatten().map(|words| words.seen);
        words.chain(self.containers.values().map(OfContainer::heard)).max().flatten()
    }
}

impl OfContainer {
    fn heard(&self) -> Option<Timestamp> {
        self.failed_pre_stop.max(self.probe.and_then(|(seen, _)| seen))
    }
}
