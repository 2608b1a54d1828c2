//! Job: as many pods as are to succeed, so many at a time, until enough have or too many have failed.
//!
//! A pod that is over is counted once: its finalizer stays until the status says that it is counted.

mod index;
mod outcome;
mod pods;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::outcome::{Tally, Termination, termination};
use super::context::Context;
use super::view::Key;
use super::{Turn, pods as workload_pods};
use crate::api::{Options, Part, Status};
use crate::kubelet::{Note, after};
use crate::object::{self, items, text};
use crate::resource::ObjectRef;
use crate::stored::Stored;

const COMPONENT: &str = "job-controller";
/// What keeps a pod until it is counted.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// How long after a failure another pod is made, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(10));

/// One turn for one job.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(job) = context.view.get_key(key) else {
        return Ok(None);
    };
    let kinds = context.kinds.clone();
    let owned = context.view.controlled_by(object::uid(&job), &kinds.pods);
    if object::is_terminating(&job) {
        for pod in &owned {
            release(context, pod)?;
        }
        return Ok(None);
    }
    if let Some(finished) = finished_at(&job) {
        for pod in &owned {
            release(context, pod)?;
        }
        return expire(context, key, &job, finished);
    }
    Run { context, job, owned }.go()
}

/// A pod whose job is gone has nobody to wait for.
pub(crate) fn release_orphan(context: &Context, pod: &Value) -> Result<(), Status> {
    let owner = object::controller_of(pod).map(|owner| text(owner, "/uid"));
    if owner.is_none_or(|uid| context.view.by_uid(uid).is_none()) { release(context, pod) } else { Ok(()) }
}

/// Whether a pod waits to be counted.
pub(crate) fn is_tracked(pod: &Value) -> bool {
    object::finalizers(pod).any(|finalizer| finalizer == TRACKING)
}

/// Takes the finalizer off a pod.
fn release(context: &Context, pod: &Value) -> Result<(), Status> {
    if !is_tracked(pod) {
        return Ok(());
    }
    let target = ObjectRef::of(&context.kinds.pods, pod);
    let released = context.api.modify(target, Part::Main, &Options::default(), |pod| {
        let left: Vec<Value> =
            items(pod, "/metadata/finalizers").iter().filter(|known| *known != TRACKING).cloned().collect();
        let metadata = object::entry(pod, "metadata");
        if left.is_empty() {
            metadata.shift_remove("finalizers");
        } else {
            metadata.insert("finalizers".into(), left.into());
        }
    });
    match released {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
    }
}

fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    items(status, "/conditions").iter().find(|condition| condition["type"] == kind && condition["status"] == "True")
}

fn finished_at(job: &Value) -> Option<Timestamp> {
    let ended = condition(&job["status"], "Complete").or_else(|| condition(&job["status"], "Failed"))?;
    Some(text(ended, "/lastTransitionTime").parse().unwrap_or(Timestamp::MIN))
}

/// A finished job goes when its time to live is over.
fn expire(context: &Context, key: &Key, job: &Value, finished: Timestamp) -> Turn {
    let Some(seconds) = job["spec"]["ttlSecondsAfterFinished"].as_u64() else { return Ok(None) };
    let due = after(finished, Duration::from_secs(seconds));
    if due > context.now {
        return Ok(Some(due));
    }
    let Some(resource) = context.view.resource(key) else { return Ok(None) };
    let options = crate::api::DeleteOptions {
        propagation: Some(crate::api::Propagation::Background),
        ..crate::api::DeleteOptions::default().with_uid(object::uid(job))
    };
    match context.api.delete(resource, &key.namespace, &key.name, &options) {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(None),
    }
}

/// A condition of a job, but for its times.
struct Condition<'a> {
    kind: &'a str,
    holds: bool,
    reason: &'a str,
    message: &'a str,
}

const SUSPENDED: Condition<'_> =
    Condition { kind: "Suspended", holds: true, reason: "JobSuspended", message: "Job suspended" };
const RESUMED: Condition<'_> =
    Condition { kind: "Suspended", holds: false, reason: "JobResumed", message: "Job resumed" };

/// One turn of a job that is not finished.
struct Run<'a> {
    context: &'a mut Context,
    job: Arc<Value>,
    owned: Vec<Arc<Value>>,
}

impl Run<'_> {
    fn go(mut self) -> Turn {
        let suspended = self.job["spec"]["suspend"] == true;
        let mut status = object::entry(&mut Value::clone(&self.job), "status").clone();
        let mut tally = Tally::of(&self.job, &self.owned, suspended);
        self.begin(&mut status, suspended);
        let started = status.get("startTime").and_then(Value::as_str).and_then(|start| start.parse().ok());
        let decided = termination(&self.job, &self.owned, &tally, started, self.context.now);
        if let Some(Termination { sign, reason, message, .. }) = &decided
            && condition(&self.job["status"], sign).is_none()
        {
            self.add_condition(&mut status, &Condition { kind: sign, holds: true, reason, message });
        }
        let mut next = None;
        let active = self.active();
        if suspended || decided.is_some() {
            for pod in &active {
                self.delete(pod)?;
            }
        } else {
            next = self.manage(&active, &tally)?;
        }
        let active = self.view_of_active();
        count(&mut status, "active", if suspended || decided.is_some() { 0 } else { active });
        let ready = if suspended || decided.is_some() { 0 } else { self.ready() };
        let terminating = self.terminating(suspended || decided.is_some());
        status.insert("terminating".into(), terminating.into());
        status.insert("uncountedTerminatedPods".into(), tally.uncounted());
        status.insert("ready".into(), ready.into());
        tally.show_indexes(&self.job, &mut status);
        self.write(&status)?;
        if tally.is_fresh() {
            for pod in tally.take_fresh() {
                release(self.context, &pod)?;
            }
            status.insert("uncountedTerminatedPods".into(), json!({}));
        }
        count(&mut status, "succeeded", tally.succeeded);
        count(&mut status, "failed", tally.failed);
        if let Some(Termination { kind, sign: _, reason, message }) = decided
            && terminating == 0
        {
            self.add_condition(&mut status, &Condition { kind, holds: true, reason: &reason, message: &message });
            if kind == "Complete" {
                status.insert("completionTime".into(), self.context.api.clock().seconds().into());
            }
            let note = if kind == "Complete" {
                Note::normal("Completed", "Job completed".to_owned())
            } else {
                Note::warning(outcome::known_reason(&reason), message)
            };
            self.tell(&note);
        }
        self.write(&status)?;
        let deadline = self.job["spec"]["activeDeadlineSeconds"].as_u64().filter(|_| !suspended);
        let deadline = deadline.zip(started).map(|(seconds, start)| after(start, Duration::from_secs(seconds)));
        let later = [next, deadline].into_iter().flatten().filter(|due| *due > self.context.now);
        Ok(later.min())
    }

    /// The start, or the stop, of a job that is suspended or goes on.
    fn begin(&mut self, status: &mut Map<String, Value>, suspended: bool) {
        let known = items(&self.job["status"], "/conditions").iter().find(|known| known["type"] == "Suspended");
        let was = known.map(|known| known["status"] == "True");
        if suspended {
            status.shift_remove("startTime");
            if was != Some(true) {
                self.add_condition(status, &SUSPENDED);
                self.tell(&Note::normal("Suspended", "Job suspended".to_owned()));
            }
            return;
        }
        if was == Some(true) {
            self.add_condition(status, &RESUMED);
            self.tell(&Note::normal("Resumed", "Job resumed".to_owned()));
        }
        let now = self.context.api.clock().seconds();
        status.entry("startTime").or_insert_with(|| now.into());
    }

    fn add_condition(&self, status: &mut Map<String, Value>, condition: &Condition<'_>) {
        let Condition { kind, holds, reason, message } = condition;
        let now = self.context.api.clock().seconds();
        let condition = json!({
            "type": kind,
            "status": if *holds { "True" } else { "False" },
            "lastProbeTime": now,
            "lastTransitionTime": now,
            "reason": reason,
            "message": message,
        });
        let mut conditions = status.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        conditions.retain(|known| known["type"] != *kind);
        conditions.push(condition);
        status.insert("conditions".into(), conditions.into());
    }

    fn active(&self) -> Vec<Arc<Value>> {
        self.owned.iter().filter(|pod| workload_pods::is_active(pod)).cloned().collect()
    }

    /// How many pods are active now that some were made or deleted.
    fn view_of_active(&self) -> usize {
        let uid = object::uid(&self.job);
        let pods = self.context.api.store().list(&self.context.kinds.pods, object::namespace(&self.job));
        let own = pods.iter().map(Stored::value).filter(|pod| {
            workload_pods::is_active(pod) && object::controller_of(pod).is_some_and(|owner| owner["uid"] == uid)
        });
        own.count()
    }

    fn ready(&self) -> usize {
        self.owned.iter().filter(|pod| workload_pods::is_active(pod) && workload_pods::is_ready(pod)).count()
    }

    /// How many pods are on their way out; those that were told so in this turn as well.
    fn terminating(&self, stopped: bool) -> usize {
        let ending = |pod: &&Arc<Value>| !workload_pods::is_over(pod) && (stopped || object::is_terminating(pod));
        self.owned.iter().filter(ending).count()
    }

    fn write(&self, status: &Map<String, Value>) -> Result<(), Status> {
        let jobs = &self.context.kinds.jobs;
        let (namespace, name) = (object::namespace(&self.job), object::name(&self.job));
        let Ok(stored) = self.context.api.get(jobs, namespace, name) else { return Ok(()) };
        self.context.write_status(jobs, &stored, &Value::Object(status.clone()))
    }

    fn tell(&mut self, note: &Note) {
        let jobs = self.context.kinds.jobs.clone();
        self.context.tell(COMPONENT, &jobs, &self.job, note);
    }
}

fn count(status: &mut Map<String, Value>, field: &str, number: usize) {
    if number == 0 {
        status.shift_remove(field);
    } else {
        status.insert(field.into(), number.into());
    }
}
