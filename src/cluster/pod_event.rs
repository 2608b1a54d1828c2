//! Events of pods that say more than the pod's status does: which probe was behind a kill, which hook failed, and why there is
//! no sandbox.

use std::sync::LazyLock;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubeheal_core::model::{
    cause::Probe,
    snapshot::{SandboxNeed, SandboxTrouble},
    text::{MAX_LABEL, MAX_UID, fits},
};
use regex::Regex;
use serde::Deserialize;

use super::record::{RawMeta, moment, watched};
use crate::diagnosis::line;

/// Events of pods, without those that come with every start, every probe and every try of the scheduler: they are nearly all
/// there are, and tell nothing that the pod's status does not.
///
/// It is one watch and not one for each reason: the API server keeps no cache for Events, so that each list reads all of them
/// from etcd and each watch is sent all of them by it, whatever is asked for. What is left over is dropped when it is read.
pub(super) const SELECTED: &str = "involvedObject.kind=Pod,reason!=Scheduled,reason!=FailedScheduling,reason!=Pulling,\
                                   reason!=Pulled,reason!=Created,reason!=Started,reason!=Unhealthy,reason!=BackOff,\
                                   reason!=Failed";

/// Longest words kept, in characters.
const MAX_WORDS: usize = 400;

/// What a runtime calls a sandbox: another one for each try, and of no use to people.
static SANDBOX_ID: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#" ?"?\b[0-9a-f]{64}\b"?"#).ok());

/// What an Event says of a pod. It gives words, and proves nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "RawEvent")]
pub struct PodEvent {
    /// Name, namespace, UID and resourceVersion of the Event.
    pub meta: ObjectMeta,
    /// Name of the pod.
    pub pod: String,
    /// UID of the pod.
    pub pod_uid: String,
    /// What it says, if that is of use.
    pub said: Option<Said>,
    /// When it was last seen, by the clock of who wrote it.
    pub seen: Option<Timestamp>,
}
watched!(PodEvent, "", "v1", "Event", "events");

/// What is of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A container is killed because of a probe.
    Probe(String, Probe),
    /// The `preStop` hook of a container failed.
    PreStopFailed(String),
    /// There is no sandbox.
    NoSandbox(SandboxTrouble),
    /// The pod could not be ended.
    NotEnded(String),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEvent {
    metadata: RawMeta,
    #[serde(default)]
    involved_object: RawInvolved,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default, deserialize_with = "moment")]
    last_timestamp: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawInvolved {
    kind: String,
    name: String,
    uid: String,
    field_path: String,
}

impl From<RawEvent> for PodEvent {
    fn from(raw: RawEvent) -> Self {
        let said = meaning(&raw);
        let (pod, pod_uid) = (raw.involved_object.name, raw.involved_object.uid);
        Self { meta: raw.metadata.object_meta(), pod, pod_uid, said, seen: raw.last_timestamp }
    }
}

fn meaning(raw: &RawEvent) -> Option<Said> {
    let about = &raw.involved_object;
    if about.kind != "Pod" || about.uid.is_empty() || !fits(&about.uid, MAX_UID) {
        return None;
    }
    let message = raw.message.as_deref().unwrap_or_default();
    let no_sandbox = |about| Some(Said::NoSandbox(SandboxTrouble { about, words: words(message)? }));
    match raw.reason.as_deref()? {
        // "Container app failed liveness probe, will be restarted", as recorded in `liveness-fails`.
        "Killing" => Some(Said::Probe(container(about)?, probe(message)?)),
        // The kubelet says no more of it, lest secrets leak.
        "FailedPreStopHook" => Some(Said::PreStopFailed(container(about)?)),
        "FailedCreatePodSandBox" | "NetworkNotReady" => no_sandbox(SandboxNeed::Runtime),
        "FailedMount" | "FailedAttachVolume" => no_sandbox(SandboxNeed::Volume),
        "FailedKillPod" => Some(Said::NotEnded(words(message)?)),
        _ => None,
    }
}

fn probe(message: &str) -> Option<Probe> {
    let probes = [(Probe::Liveness, "failed liveness probe"), (Probe::Startup, "failed startup probe")];
    probes.into_iter().find(|(_, words)| message.contains(words)).map(|(probe, _)| probe)
}

/// `app` of `spec.containers{app}`.
fn container(about: &RawInvolved) -> Option<String> {
    let (_, rest) = about.field_path.split_once('{')?;
    rest.strip_suffix('}').filter(|name| !name.is_empty() && fits(name, MAX_LABEL)).map(str::to_owned)
}

/// A message without what differs from one try to the next and what the reason says: the same trouble, said the same way, is
/// no news.
fn words(message: &str) -> Option<String> {
    const BEGINNINGS: [&str; 3] =
        ["(combined from similar events): ", "Failed to create pod sandbox: ", "rpc error: code = Unknown desc = "];
    let message = line(message, usize::MAX);
    let mut message = match SANDBOX_ID.as_ref() {
        Some(id) => id.replace_all(&message, "").into_owned(),
        None => message,
    };
    while let Some(rest) = BEGINNINGS.iter().find_map(|beginning| message.strip_prefix(beginning)) {
        message = rest.to_owned();
    }
    (!message.is_empty()).then(|| line(&message, MAX_WORDS))
}
