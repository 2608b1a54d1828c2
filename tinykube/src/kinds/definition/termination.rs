//! The end of a definition: it is marked, its objects are deleted, and when the last of them is gone, it goes.
//!
//! The finalizing controller is a part of the API server, so that it runs in clusters without controllers, too.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::condition::{self, Condition};
use super::{CONTROLLER, serving};
use crate::api::{Api, DeleteOptions, ListOptions, Options, Part, Status};
use crate::object;
use crate::resource::Resource;

/// What holds a definition until its objects are gone.
const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";
/// Between two looks at what is left.
const POLL: Duration = Duration::from_secs(5);
/// After so long the objects are deleted anew.
const PATIENCE: Duration = Duration::from_secs(60);

/// A definition whose deletion is asked for.
pub(crate) fn mark(api: &Api, definition: &Value) -> Value {
    let mut new = definition.clone();
    let mut finalizers: Vec<&str> = object::finalizers(definition).collect();
    if !finalizers.contains(&FINALIZER) {
        finalizers.push(FINALIZER);
    }
    new["metadata"]["deletionTimestamp"] = api.clock().seconds().into();
    new["metadata"]["finalizers"] = json!(finalizers);
    let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    Condition::new("Terminating", true, "InstanceDeletionPending", message).set(api, &mut new);
    new
}

/// Finalizes definitions until cancelled.
pub(crate) async fn run(api: Api, definitions: Resource, cancelled: CancellationToken) {
    let mut latest = api.store().subscribe_to(&definitions);
    let mut finalizer = Finalizer { api, definitions, open: BTreeMap::new() };
    loop {
        latest.mark_unchanged();
        let next = finalizer.turn(Instant::now());
        let due = async {
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = cancelled.cancelled() => return,
            changed = latest.changed() => if changed.is_err() { return },
            () = due => {}
        }
    }
}

struct Finalizer {
    api: Api,
    definitions: Resource,
    /// What is still to be done, by the UID of the definition.
    open: BTreeMap<String, Work>,
}

/// When a definition is to be looked at again, and what is to be done then.
struct Work {
    due: Instant,
    /// Until when the end of its objects is waited for, after they were told to end.
    until: Option<Instant>,
    failures: u32,
}

impl Finalizer {
    /// Does what is due; the moment of the next turn.
    fn turn(&mut self, now: Instant) -> Option<Instant> {
        let stored = self.api.store().list(&self.definitions, "");
        let terminating: Vec<_> = stored.into_iter().filter(|stored| is_held(&stored.metadata())).collect();
        let uids: Vec<String> = terminating.iter().map(|stored| object::uid(&stored.metadata()).to_owned()).collect();
        self.open.retain(|uid, _| uids.contains(uid));
        for (stored, uid) in terminating.iter().zip(uids) {
            let work = self.open.remove(&uid).unwrap_or(Work { due: now, until: None, failures: 0 });
            if work.due > now {
                self.open.insert(uid, work);
            } else if let Some(work) = self.work(&stored.value(), &work, now) {
                self.open.insert(uid, work);
            }
        }
        self.open.values().map(|work| work.due).min()
    }

    /// One look at one definition; what is to be done later.
    fn work(&self, definition: &Value, work: &Work, now: Instant) -> Option<Work> {
        if work.until.is_none() {
            let message = "CustomResource deletion is in progress";
            self.say(definition, &Condition::new("Terminating", true, "InstanceDeletionInProgress", message));
            if !condition::holds(definition, "Established") {
                let never = ("NeverEstablished", "resource was never established");
                return self.let_go(definition, never, work, now);
            }
            if let Err(why) = self.delete_objects(definition) {
                let failed = Condition::new("Terminating", true, "InstanceDeletionFailed", why);
                self.say(definition, &failed);
                return Some(again(work, now));
            }
        }
        let until = work.until.unwrap_or(now + PATIENCE);
        let why = match self.left(definition) {
            Ok(0) => {
                let completed = ("InstanceDeletionCompleted", "removed all instances");
                return self.let_go(definition, completed, work, now);
            }
            Ok(_) if now < until => {
                return Some(Work { due: until.min(now + POLL), until: Some(until), failures: work.failures });
            }
            Ok(_) => "context deadline exceeded".to_owned(),
            Err(status) => status.message,
        };
        let why = format!("could not confirm zero CustomResources remaining: {why}");
        self.say(definition, &Condition::new("Terminating", true, "InstanceDeletionCheck", why));
        Some(again(work, now))
    }

    /// Tells every object to end.
    fn delete_objects(&self, definition: &Value) -> Result<(), String> {
        let Some(resource) = serving::stored_resource(definition) else { return Ok(()) };
        let page = self.api.page(&resource, "", &ListOptions::default());
        let page = page.map_err(|status| format!("could not list instances: {}", status.message))?;
        for found in &page.objects {
            match self.api.delete(&resource, found.namespace(), found.name(), &DeleteOptions::default()) {
                Err(status) if status.code != 404 => {
                    return Err(format!("could not issue all deletes: {}", status.message));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn left(&self, definition: &Value) -> Result<usize, Status> {
        let Some(resource) = serving::stored_resource(definition) else { return Ok(0) };
        Ok(self.api.page(&resource, "", &ListOptions::default())?.objects.len())
    }

    /// Takes the finalizer off.
    fn let_go(
        &self,
        definition: &Value,
        (reason, message): (&'static str, &str),
        work: &Work,
        now: Instant,
    ) -> Option<Work> {
        let ended = Condition::new("Terminating", false, reason, message);
        let written = self.write(definition, |new| {
            ended.set(&self.api, new);
            let finalizers: Vec<&str> = object::finalizers(new).filter(|finalizer| *finalizer != FINALIZER).collect();
            if finalizers.is_empty() {
                object::entry(new, "metadata").shift_remove("finalizers");
            } else {
                new["metadata"]["finalizers"] = json!(finalizers);
            }
        });
        written.is_err().then(|| again(work, now))
    }

    fn say(&self, definition: &Value, condition: &Condition) {
        // Whoever took it away meanwhile has done the work.
        let _ = self.write(definition, |new| condition.set(&self.api, new));
    }

    /// Writes the status of the latest version of this very definition.
    fn write(&self, definition: &Value, change: impl FnOnce(&mut Value)) -> Result<(), Status> {
        let options = Options::by(CONTROLLER);
        let (name, uid) = (object::name(definition), object::uid(definition));
        let written = self.api.modify(self.definitions.named("", name), Part::Status, &options, |new| {
            if object::uid(new) == uid && is_held(new) {
                change(new);
            }
        });
        match written {
            Err(status) if status.code != 404 => {
                tracing::debug!(name, problem = %status.message, "to be tried again");
                Err(status)
            }
            _ => Ok(()),
        }
    }
}

fn is_held(definition: &Value) -> bool {
    object::is_terminating(definition) && object::finalizers(definition).any(|finalizer| finalizer == FINALIZER)
}

/// From the start: after 5 ms, doubled each time up to 1000 s, like client-go's rate limiter.
fn again(work: &Work, now: Instant) -> Work {
    let delay = (Duration::from_millis(5) * (1 << work.failures.min(18))).min(Duration::from_secs(1000));
    Work { due: now + delay, until: None, failures: work.failures + 1 }
}
