//! Caches → `Snapshot`: what one service sees now.
//!
//! Reads the caches and what was read live before; asks nobody, decides nothing.

use jiff::SignedDuration;
use kube::ResourceExt;

use crate::{
    api::{HealedService, annotation},
    diagnosis::{Rules, Said, line},
};
use crate::{
    base::{Key, target_of},
    cluster::{
        cache::Caches,
        controller_ref::ControllerRef,
        dependency::dependencies,
        kept::{Signing, read_kept},
        pdb::refusal,
        pod::PodRecord,
        workload::WorkloadRecord,
    },
    policy::Effective,
    status::load,
};
use kubeheal_core::diagnose::{cannot_be_helped, obstacle};
use kubeheal_core::gate::older_service;
use kubeheal_core::model::text::cut;
use kubeheal_core::model::{
    alert::Receivers,
    cause::Cause,
    snapshot::{
        Container, ContainerState, Diagnosis, Live, Origin, Ownership, Pod, Service, Snapshot, Termination, Workload,
        WorkloadKind, WorkloadLease,
    },
};

/// Longest annotation value that is compared, in characters.
const MAX_ANNOTATION: usize = 1024;

/// What a live read said about a workload that the cache does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Presence {
    /// Nobody was asked: the cache has it.
    #[default]
    Cached,
    /// The API server answered 404.
    Missing,
    /// It is there, the cache is behind.
    NotYetCached,
    /// The API server did not answer, or not with a yes or no.
    Unreadable(String),
}

/// What the service sees. `None` if there is no such service.
pub fn snapshot(caches: &Caches, key: &Key, presence: &Presence, signing: &Signing) -> Option<Snapshot> {
    let (service, effective) = (caches.service(key)?, caches.effective(key)?);
    let status = service.status.clone().unwrap_or_default();
    let oldest_owner = caches.oldest_owner(key);
    // What belongs to another is not looked at: many may name one workload.
    let workload = caches.workload(&service).filter(|_| oldest_owner.is_none());
    let ownership = Ownership { oldest_owner, lease: WorkloadLease::NotAsked };
    let mut seen = Snapshot {
        service: identity(key, &service, &effective),
        pods: workload.as_ref().map(|workload| pods(caches, &key.0, workload, &effective.rules)).unwrap_or_default(),
        workload: match older_service(&ownership) {
            Some(block) => Workload::Unknown(block.message),
            None => seen(caches, &service, workload.as_deref(), presence),
        },
        dependencies: dependencies(caches, key, &effective),
        last_known_good: None,
        good_refused: None,
        last_stable: None,
        stable_refused: None,
        live: Live::NotAsked,
        ownership,
        receivers: Receivers {
            repeat: SignedDuration::from_secs(i64::from(effective.settings.alerts.repeat_seconds)),
            list: effective.receivers.clone(),
            deliveries: Vec::new(),
        },
        fleet: caches.fleet(key),
        state: load(&status),
    };
    read_kept(caches, key, signing, &mut seen);
    Some(seen)
}

fn identity(key: &Key, service: &HealedService, effective: &Effective) -> Service {
    let annotation = |name: &str| service.annotations().get(name).map(|value| cut(value, MAX_ANNOTATION));
    Service {
        namespace: key.0.clone(),
        name: key.1.clone(),
        uid: service.uid().unwrap_or_default(),
        deleting: service.metadata.deletion_timestamp.is_some(),
        warnings: effective.warnings.clone(),
        heal_now: annotation(annotation::HEAL_NOW),
        reset_breaker: annotation(annotation::RESET_BREAKER),
        // Shown, so it must be fit to be.
        force_open: annotation(annotation::FORCE_OPEN).map(|reason| line(&reason, MAX_ANNOTATION)),
    }
}

fn seen(caches: &Caches, service: &HealedService, workload: Option<&WorkloadRecord>, presence: &Presence) -> Workload {
    let (kind, key) = target_of(service);
    let is_owned = kind == WorkloadKind::Pod && caches.is_controlled_pod(&key);
    if let Some(why) = caches.unreadable(service) {
        return Workload::Unknown(why);
    }
    match (workload, presence) {
        (Some(workload), _) => {
            let mut state = workload.state.clone();
            let of_sets = || caches.replica_failure(&state.uid).map(str::to_owned);
            state.replica_failure = state.replica_failure.take().or_else(of_sets);
            if state.desired == 0 {
                state.taken_over_by = caches.taken_over_by(workload, &key.0).map(ToString::to_string);
            }
            Workload::Present(state)
        }
        // It is no workload, whether it is there at this moment or not.
        (None, _) if is_owned => Workload::Unknown(owned(&key.1, caches.controller_behind(&key))),
        (None, Presence::Missing) => Workload::Missing { kind, name: key.1 },
        (None, Presence::NotYetCached | Presence::Cached) => {
            Workload::Unknown(format!("{} {} exists but has not been read yet", kind.as_str(), key.1))
        }
        (None, Presence::Unreadable(why)) => {
            Workload::Unknown(format!("{} {} could not be read: {why}", kind.as_str(), key.1))
        }
    }
}

/// Whose pod it is, and where to look.
fn owned(pod: &str, controller: Option<&ControllerRef>) -> String {
    match controller {
        Some(controller) if controller.is_healed() => {
            format!("Pod {pod} belongs to {controller}: name that in spec.workloadRef instead")
        }
        Some(controller) => {
            format!("Pod {pod} belongs to {controller}, a kind that kubeheal does not heal: look at {controller}")
        }
        None => format!("Pod {pod} belongs to a controller: name that in spec.workloadRef instead"),
    }
}

fn pods(caches: &Caches, namespace: &str, workload: &WorkloadRecord, rules: &Rules) -> Vec<Pod> {
    caches.pods(workload, namespace).iter().map(|record| pod(caches, namespace, workload, record, rules)).collect()
}

fn pod(caches: &Caches, namespace: &str, workload: &WorkloadRecord, record: &PodRecord, rules: &Rules) -> Pod {
    let mut pod = record.pod.clone();
    let update = workload.update.as_ref().zip(record.revision.as_ref());
    pod.origin = origin(workload, record);
    pod.host = pod.node.as_deref().map(|name| caches.node(name)).unwrap_or_default();
    pod.old_revision = update.is_some_and(|(update, revision)| update.leaves_behind(&pod.name, revision));
    pod.refusal = refusal(caches.budgets(namespace), record);
    caches.add_events(&mut pod);
    for container in &mut pod.containers {
        container.diagnosis = diagnose(container, rules);
    }
    pod
}

/// What a pod was made from and what replaces it. A DaemonSet does not say which revision is the newest.
fn origin(workload: &WorkloadRecord, record: &PodRecord) -> Origin {
    let (made_from, replaced_from) = match workload.state.kind {
        WorkloadKind::Deployment => (record.controller.clone(), record.controller.clone()),
        WorkloadKind::StatefulSet => {
            let next = workload.update.as_ref().map(|update| update.replaces_with(&record.pod.name).to_owned());
            (record.revision.clone(), next.filter(|revision| !revision.is_empty()))
        }
        WorkloadKind::DaemonSet => (record.revision.clone(), None),
        WorkloadKind::Pod => (None, None),
    };
    Origin { created: record.pod.origin.created, made_from, replaced_from }
}

/// Of a container that waits for more than its next start, why it waits; of any other, how it ended last.
fn diagnose(container: &Container, rules: &Rules) -> Option<Diagnosis> {
    let obstacle = obstacle(container).and_then(|(reason, message)| cannot_be_helped(reason, message));
    if obstacle == Some(Cause::RuntimeError) {
        // The runtime's own words: what they would mean of an application is not meant.
        return None;
    }
    match &container.state {
        ContainerState::Waiting { reason, message } if !container.waits_to_start() && !container.is_in_back_off() => {
            rules.diagnose(&Said { reason, message, ..Said::default() })
        }
        ContainerState::Terminated(end) => rules.diagnose(&last_words(end)),
        ContainerState::Waiting { .. } | ContainerState::Running(_) | ContainerState::Unknown => {
            rules.diagnose(&last_words(container.last.as_ref()?))
        }
    }
}

fn last_words(end: &Termination) -> Said<'_> {
    let exit_code = Some(end.exit_code).filter(|code| *code != 0);
    Said { reason: &end.reason, message: &end.message, exit_code, log: "" }
}
