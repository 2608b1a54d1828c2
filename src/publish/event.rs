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
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::cut;
use crate::{
    api::{FIELD_MANAGER, HealedService, status::HealedServiceStatus},
    healing::memory::Outcome,
    observe::definition::digest,
};

/// Longest note the API takes is 1 kB; characters may take several bytes.
const MAX_NOTE: usize = 250;

/// Something worth an Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Normal or Warning.
    pub warning: bool,
    /// `CamelCase`: a `Reason` where a condition flipped, the step where something was done.
    pub reason: String,
    /// What was done or noticed, `CamelCase`.
    pub action: String,
    /// A sentence.
    pub note: String,
}

/// What changed between two statuses that people should hear of.
pub fn notices(old: &HealedServiceStatus, new: &HealedServiceStatus) -> Vec<Notice> {
    let mut notices = flips(old, new);
    notices.extend(steps(old, new));
    notices.extend(unsent(old, new));
    notices
}

/// Conditions that flipped. `Reconciling` flips with every repair, which is told as such.
fn flips(old: &HealedServiceStatus, new: &HealedServiceStatus) -> Vec<Notice> {
    // Whether True is the bad side.
    let told = [("Degraded", true), ("Stalled", true), ("CircuitOpen", true), ("DependenciesReady", false)];
    let find = |status: &HealedServiceStatus, kind: &str| {
        status.conditions.iter().find(|condition| condition.type_ == kind).cloned()
    };
    let flip = |(kind, bad_if_true): (&str, bool)| {
        let now = find(new, kind)?;
        let before =
            find(old, kind).map_or_else(|| if bad_if_true { "False" } else { "True" }.to_owned(), |c| c.status);
        let warning = (now.status == "True") == bad_if_true;
        let told = match (kind, warning) {
            // That nobody is needed any more is no news; that all is well again is.
            ("Stalled", false) => return None,
            ("Degraded", false) => ("Recovered".to_owned(), find(new, "Ready")?.message),
            _ => (now.reason, now.message),
        };
        let (reason, note) = told;
        (before != now.status).then(|| Notice { warning, reason, action: kind.to_owned(), note })
    };
    told.into_iter().filter_map(flip).collect()
}

/// History entries that are new or ended meanwhile.
fn steps(old: &HealedServiceStatus, new: &HealedServiceStatus) -> Vec<Notice> {
    let told = |entry: &&crate::api::status::HistoryEntry| {
        !old.history.iter().any(|known| {
            known.time == entry.time
                && known.step == entry.step
                && known.target == entry.target
                && known.outcome == entry.outcome
        })
    };
    let notice = |entry: &crate::api::status::HistoryEntry| {
        let target = entry.target.clone().unwrap_or_else(|| "the breaker".to_owned());
        let cause = entry.cause.as_deref().map(|cause| format!(" because of {cause}")).unwrap_or_default();
        let message = entry.message.as_deref().map(|message| format!(" ({message})")).unwrap_or_default();
        let bad = [Outcome::Ineffective.as_str(), Outcome::Failed.as_str()].contains(&entry.outcome.as_str());
        Notice {
            warning: bad || entry.step == "CircuitOpened",
            reason: entry.step.clone(),
            action: entry.outcome.clone(),
            note: format!("{} of {target}{cause}: {}{message}", entry.step, entry.outcome),
        }
    };
    new.history.iter().filter(told).map(notice).collect()
}

/// Receivers of alerts that cannot be told, with the reason.
fn unsent(old: &HealedServiceStatus, new: &HealedServiceStatus) -> Vec<Notice> {
    let problems = |status: &HealedServiceStatus| -> BTreeSet<(String, String)> {
        let sinks = status.alerts.iter().flat_map(|alert| &alert.sinks);
        sinks.filter_map(|sink| Some((sink.name.clone(), sink.problem.clone()?))).collect()
    };
    let notice = |(sink, problem): &(String, String)| Notice {
        warning: true,
        reason: "AlertNotSent".to_owned(),
        action: sink.clone(),
        note: format!("{sink}: {problem}"),
    };
    problems(new).difference(&problems(old)).map(notice).collect()
}

/// Writes one Event about a service, with its workload as the related object.
pub async fn publish(
    client: &Client,
    service: &HealedService,
    notice: &Notice,
    now: Timestamp,
) -> Result<(), kube::Error> {
    let namespace = service.namespace().unwrap_or_default();
    let events: Api<Event> = Api::namespaced(client.clone(), &namespace);
    let note = cut(&notice.note, MAX_NOTE);
    let key = digest(&json!([service.uid(), notice.reason, notice.action, note]));
    let short: String = service.name_any().chars().take(200).collect();
    let name = format!("{short}.{key}");
    let event = Event {
        metadata: ObjectMeta { name: Some(name.clone()), namespace: Some(namespace.clone()), ..ObjectMeta::default() },
        event_time: Some(MicroTime(now)),
        type_: Some(if notice.warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(notice.reason.clone()),
        action: Some(notice.action.clone()),
        note: Some(note),
        regarding: Some(service.object_ref(&())),
        related: Some(target(service, namespace)),
        reporting_controller: Some("kubeheal.dev/controller".to_owned()),
        reporting_instance: Some(FIELD_MANAGER.to_owned()),
        ..Event::default()
    };
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    match events.create(&params, &event).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => again(&events, &name, now).await,
        Err(error) => Err(error),
    }
}

async fn again(events: &Api<Event>, name: &str, now: Timestamp) -> Result<(), kube::Error> {
    let known = events.get(name).await?;
    let count = known.series.map_or(1, |series| series.count).saturating_add(1);
    let series = EventSeries { count, last_observed_time: MicroTime(now) };
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    events.patch(name, &params, &Patch::Merge(json!({ "series": series }))).await?;
    Ok(())
}

fn target(service: &HealedService, namespace: String) -> ObjectReference {
    let (kind, (_, name)) = crate::observe::cache::target_of(service);
    let api_version = if kind == crate::healing::snapshot::WorkloadKind::Pod { "v1" } else { "apps/v1" };
    ObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: Some(kind.as_str().to_owned()),
        name: Some(name),
        namespace: Some(namespace),
        ..ObjectReference::default()
    }
}
