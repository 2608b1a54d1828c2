//! Transitions → Kubernetes Events (`events.k8s.io/v1`).
//!
//! An Event tells that something changed, once; how things are is in the status. The same Event again becomes a series on
//! the first instead of a new object.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        core::v1::ObjectReference,
        events::v1::{Event, EventSeries},
    },
    apimachinery::pkg::apis::meta::v1::{Condition, MicroTime, ObjectMeta},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
    core::{ApiResource, DynamicObject},
};
use serde_json::{Value, json};

use crate::{
    api::{
        FIELD_MANAGER, HealedService,
        status::{Block, HealedServiceStatus},
    },
    base::{digest, written_by_us},
    cluster::decode::Lenient,
};
use kubeheal_core::model::text::cut;
use kubeheal_core::{
    model::{
        reason::Reason,
        state::{HistoryEntry, Outcome},
    },
    report::is_unrecovered,
};

/// Longest note the API takes is 1 kB; characters may take several bytes.
const MAX_NOTE: usize = 250;

/// Something worth an Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDraft {
    /// Normal or Warning.
    pub warning: bool,
    /// `CamelCase`: a `Reason` where a condition flipped, the step where something was done.
    pub reason: String,
    /// What was done or noticed, `CamelCase`.
    pub action: String,
    /// A sentence.
    pub note: String,
    /// It is told once in one trouble, whatever the note says.
    pub once: bool,
}

impl EventDraft {
    fn of(warning: bool, reason: &str, action: &str, note: &str) -> Self {
        let (reason, action, note) = (reason.to_owned(), action.to_owned(), note.to_owned());
        Self { warning, reason, action, note, once: false }
    }
}

/// What changed between two statuses that people should hear of.
pub fn drafts(old: &HealedServiceStatus, new: &HealedServiceStatus) -> Vec<EventDraft> {
    let mut drafts = flips(old, new);
    drafts.extend(steps(old, new));
    drafts.extend(held(old, new));
    drafts.extend(unsent(old, new));
    drafts
}

/// Conditions that flipped. `Reconciling` flips with every repair, which is told as such.
fn flips(old: &HealedServiceStatus, new: &HealedServiceStatus) -> Vec<EventDraft> {
    // Whether True is the bad side.
    let told = [("Stalled", true), ("CircuitOpen", true), ("DependenciesReady", false)];
    let flip = |(kind, bad_if_true): (&str, bool)| {
        let now = find(new, kind)?;
        let usual = if bad_if_true { "False" } else { "True" };
        let before = find(old, kind).map_or(usual, |known| known.status.as_str());
        let warning = (now.status == "True") == bad_if_true;
        // That nobody is needed any more is no news.
        let is_news = before != now.status && (warning || kind != "Stalled");
        is_news.then(|| EventDraft::of(warning, &now.reason, kind, &now.message))
    };
    degraded(old, new).into_iter().chain(told.into_iter().filter_map(flip)).collect()
}

/// Degraded is told once, until it is Ready again: that alone is a recovery. Neither is that nothing can be seen any more,
/// nor that all begins anew, nor that nothing is wanted.
fn degraded(old: &HealedServiceStatus, new: &HealedServiceStatus) -> Option<EventDraft> {
    let is_told = |status: &HealedServiceStatus| {
        find(status, "Degraded").is_some_and(|known| is_unrecovered(&known.status, &known.reason))
    };
    let (was, now) = (is_told(old), find(new, "Degraded")?);
    if now.status == "True" {
        return (!was).then(|| EventDraft::of(true, &now.reason, "Degraded", &now.message));
    }
    let ready = find(new, "Ready")?;
    let well = [Reason::Healthy.as_str(), Reason::Completed.as_str()].contains(&ready.reason.as_str());
    let recovered = was && !is_told(new) && ready.status == "True" && well;
    recovered.then(|| EventDraft::of(false, "Recovered", "Degraded", &ready.message))
}

/// What begins to hold a repair back. What each repair waits for, and what other Events tell, is left out.
fn held(old: &HealedServiceStatus, new: &HealedServiceStatus) -> Vec<EventDraft> {
    let holds = |status: &HealedServiceStatus, reason: &str| {
        status.next_action.is_some() && status.blocked_by.iter().any(|block| block.reason == reason)
    };
    let Some(next) = &new.next_action else { return Vec::new() };
    let is_news = |block: &&Block| {
        !holds(old, &block.reason) && block.reason.parse::<Reason>().is_ok_and(|reason| !reason.holds_quietly())
    };
    let draft = |block: &Block| EventDraft {
        once: true,
        ..EventDraft::of(
            false,
            &block.reason,
            "Held",
            &format!("{} of {} is held back: {}", next.step, next.target, block.message),
        )
    };
    new.blocked_by.iter().filter(is_news).map(draft).collect()
}

fn find<'a>(status: &'a HealedServiceStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// History entries that are new or ended meanwhile.
fn steps(old: &HealedServiceStatus, new: &HealedServiceStatus) -> Vec<EventDraft> {
    let is_news = |entry: &&HistoryEntry| {
        let same = |known: &HistoryEntry| HistoryEntry { message: entry.message.clone(), ..known.clone() } == **entry;
        !old.history.iter().any(same)
    };
    new.history.iter().filter(is_news).map(step).collect()
}

/// `RestartPod of api-7d64 started (CrashLoop)`.
fn step(entry: &HistoryEntry) -> EventDraft {
    let target = entry.target.as_deref().map(|target| format!(" of {target}")).unwrap_or_default();
    let cause = entry.cause.as_deref().map(|cause| format!(" ({cause})")).unwrap_or_default();
    let message = entry.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    let happened = match entry.outcome {
        Outcome::Pending => " started",
        Outcome::Verified if entry.target.is_some() => " helped",
        Outcome::Ineffective => " did not help",
        Outcome::Failed => " failed",
        Outcome::Dropped => " was not needed any more",
        Outcome::Verified => "",
    };
    EventDraft {
        warning: entry.outcome.is_ineffective() || entry.step == "CircuitOpened",
        reason: entry.step.clone(),
        action: entry.outcome.as_str().to_owned(),
        note: format!("{}{target}{happened}{cause}{message}", entry.step),
        once: false,
    }
}

/// Receivers of alerts that cannot be notified, with the reason.
fn unsent(old: &HealedServiceStatus, new: &HealedServiceStatus) -> Vec<EventDraft> {
    let problems = |status: &HealedServiceStatus| -> BTreeSet<(String, String)> {
        let receivers = status.memory.alerts.iter().flat_map(|alert| &alert.receivers);
        receivers.filter_map(|known| Some((known.receiver.clone(), known.problem.clone()?))).collect()
    };
    let draft = |(receiver, problem): &(String, String)| EventDraft {
        warning: true,
        reason: "AlertNotSent".to_owned(),
        action: receiver.clone(),
        note: format!("{receiver}: {problem}"),
        once: false,
    };
    problems(new).difference(&problems(old)).map(draft).collect()
}

/// Writes one Event about a service, with its workload as the related object.
pub async fn publish(
    client: &Client,
    service: &HealedService,
    draft: &EventDraft,
    now: Timestamp,
) -> Result<(), kube::Error> {
    let namespace = service.namespace().unwrap_or_default();
    let events: Api<Event> = Api::namespaced(client.clone(), &namespace);
    let note = cut(&draft.note, MAX_NOTE);
    let key = digest(&json!([service.uid(), draft.reason, draft.action, note]));
    let short: String = service.name_any().chars().take(200).collect();
    let name = format!("{short}.{key}");
    let event = Event {
        metadata: ObjectMeta { name: Some(name.clone()), namespace: Some(namespace.clone()), ..ObjectMeta::default() },
        event_time: Some(MicroTime(now)),
        type_: Some(if draft.warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(draft.reason.clone()),
        action: Some(draft.action.clone()),
        note: Some(note),
        regarding: Some(service.object_ref(&())),
        related: Some(target(service, namespace.clone())),
        reporting_controller: Some("kubeheal.dev/controller".to_owned()),
        reporting_instance: Some(FIELD_MANAGER.to_owned()),
        ..Event::default()
    };
    let params = written_by_us();
    match events.create(&params, &event).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => again(client, &namespace, &name, now).await,
        Err(error) => Err(error),
    }
}

async fn again(client: &Client, namespace: &str, name: &str, now: Timestamp) -> Result<(), kube::Error> {
    let events = ApiResource::erase::<Event>(&());
    let events: Api<Lenient<DynamicObject>> = Api::namespaced_with(client.clone(), namespace, &events);
    let Lenient(known) = events.get(name).await?;
    let count = known.data.pointer("/series/count").and_then(Value::as_i64);
    let count = i32::try_from(count.unwrap_or(1)).unwrap_or(i32::MAX).saturating_add(1);
    let series = EventSeries { count, last_observed_time: MicroTime(now) };
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    events.patch(name, &params, &Patch::Merge(json!({ "series": series }))).await?;
    Ok(())
}

fn target(service: &HealedService, namespace: String) -> ObjectReference {
    let (kind, (_, name)) = crate::base::target_of(service);
    let api_version = if kind == kubeheal_core::model::snapshot::WorkloadKind::Pod { "v1" } else { "apps/v1" };
    ObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: Some(kind.as_str().to_owned()),
        name: Some(name),
        namespace: Some(namespace),
        ..ObjectReference::default()
    }
}
