//! Eviction: a deletion that asks the disruption budgets first.
//!
//! Like the real server it charges the budget before it looks at the preconditions of the deletion, so an eviction
//! refused for its UID has used up a disruption.

use std::sync::Arc;

use serde_json::{Value, json};

use super::selector::Selector;
use super::webhooks::{Asked, Operation, WITHOUT_LABELS};
use super::{Api, DeleteOptions, Deletion, Options, Part, Status, Update};
use crate::object;
use crate::resource::{ObjectRef, Resource};

/// Most pods a budget remembers as being disrupted.
const MOST_DISRUPTED: usize = 2000;

impl Api {
    /// Evicts a pod if its disruption budget allows.
    ///
    /// # Errors
    /// 403 in a namespace that is being deleted, 429 when a budget refuses, 500 when several budgets select the pod or a webhook
    /// cannot be called, and what a deletion can answer.
    pub fn evict(&self, namespace: &str, name: &str, options: &DeleteOptions) -> Result<Deletion, Status> {
        let pods = self.resource("", "pods").ok_or_else(Status::no_such_path)?;
        let budgets = self.resource("policy", "poddisruptionbudgets").ok_or_else(Status::no_such_path)?;
        let _writing = self.writing();
        // To the real server an eviction is something new.
        self.check_namespace_accepts(&pods, namespace, &json!({"metadata": {"name": name}}))?;
        let (target, operation) = (pods.named(namespace, name), Operation::Create);
        self.ask_all_webhooks(&Asked { target, subresource: "eviction", operation, objects: WITHOUT_LABELS })?;
        let pod = self.get(&pods, namespace, name)?;
        if needs_no_budget(&pod) {
            return self.end_evicted(target, options);
        }
        let guarding = self.guarding(&budgets, namespace, &pod);
        if guarding.len() > 1 {
            let message = "This pod has more than one PodDisruptionBudget, \
                           which the eviction subresource does not support.";
            return Err(Status::new(500, "", message));
        }
        if let Some(budget) = guarding.first()
            && !may_go_unhealthy(&pod, budget)
        {
            self.charge(&budgets, budget, name, options.dry_run)?;
        }
        self.end_evicted(target, options)
    }

    /// An eviction is put to webhooks as such, and not as the deletion that it comes to.
    fn end_evicted(&self, pod: ObjectRef<'_>, options: &DeleteOptions) -> Result<Deletion, Status> {
        let found = self.deletable(pod, options)?;
        Ok(self.end(pod.resource, &found, options))
    }

    fn guarding(&self, budgets: &Resource, namespace: &str, pod: &Value) -> Vec<Arc<Value>> {
        let mut guarding = self.list(budgets, namespace);
        guarding.retain(|budget| {
            // One without a selector covers nothing, one with an empty selector all.
            budget["spec"]["selector"].is_object()
                && Selector::of_object(&budget["spec"]["selector"]).matches_labels(&pod["metadata"]["labels"])
        });
        guarding
    }

    /// Takes one disruption from the budget, or refuses.
    fn charge(&self, budgets: &Resource, budget: &Arc<Value>, pod: &str, dry_run: bool) -> Result<(), Status> {
        let status = &budget["status"];
        let number = |key: &str| status[key].as_i64().unwrap_or(0);
        let name = object::name(budget);
        if number("observedGeneration") < object::generation(budget) {
            let cause = format!("The disruption budget {name} is still being processed by the server.");
            return Err(again_in(10, too_many(&cause)));
        }
        if number("disruptionsAllowed") < 0 {
            return Err(Status::forbidden(budgets, name, "pdb disruptions allowed is negative"));
        }
        let disrupted = status["disruptedPods"].as_object().map_or(0, serde_json::Map::len);
        if disrupted > MOST_DISRUPTED {
            let why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller";
            return Err(Status::forbidden(budgets, name, why));
        }
        if number("disruptionsAllowed") < 1 {
            return Err(too_many(&nothing_allowed(budget)));
        }
        if dry_run {
            return Ok(());
        }
        let mut new = Value::clone(budget);
        let left = number("disruptionsAllowed") - 1;
        new["status"]["disruptionsAllowed"] = left.into();
        if left == 0 {
            refuse_more(&mut new, &self.clock().seconds());
        }
        let disrupted = object::entry(&mut new["status"], "disruptedPods");
        disrupted.insert(pod.to_owned(), self.clock().seconds().into());
        let options = Options::by("kube-apiserver");
        let update = Update { resource: budgets, part: Part::Status, options: &options };
        self.write_changed(update, budget, new)?;
        Ok(())
    }
}

/// Pods that are over, or were never started, are no disruption.
fn needs_no_budget(pod: &Value) -> bool {
    object::is_terminating(pod) || matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed" | "Pending"))
}

/// An unready pod may go when the budget is met without it, or when its policy says always.
fn may_go_unhealthy(pod: &Value, budget: &Value) -> bool {
    let conditions = object::items(pod, "/status/conditions");
    let ready = conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    if ready {
        return false;
    }
    let status = &budget["status"];
    let number = |key: &str| status[key].as_i64().unwrap_or(0);
    budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        || (number("currentHealthy") >= number("desiredHealthy") && number("desiredHealthy") > 0)
}

/// Why a budget allows nothing, in the real server's words.
fn nothing_allowed(budget: &Value) -> String {
    let (name, status) = (object::name(budget), &budget["status"]);
    let number = |key: &str| status[key].as_i64().unwrap_or(0);
    let conditions = object::items(budget, "/status/conditions");
    let says_why = |condition: &&Value| {
        condition["type"] == "DisruptionAllowed"
            && condition["status"] == "False"
            && condition["message"].as_str().is_some_and(|message| !message.is_empty())
    };
    let text = |condition: &Value, key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    match conditions.iter().find(says_why) {
        Some(condition) if condition["reason"] == "SyncFailed" => {
            let why = text(condition, "message");
            format!("The disruption budget {name} does not allow evicting pods currently because it failed sync: {why}")
        }
        _ if number("currentHealthy") <= number("desiredHealthy") => format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            number("desiredHealthy"),
            number("currentHealthy")
        ),
        Some(condition) => {
            let (reason, why) = (text(condition, "reason"), text(condition, "message"));
            format!("The disruption budget {name} does not allow evicting pods currently ({reason}): {why}")
        }
        None => format!("The disruption budget {name} does not allow evicting pods currently"),
    }
}

fn refuse_more(budget: &mut Value, now: &str) {
    let generation = object::generation(budget);
    let Some(conditions) = budget["status"]["conditions"].as_array_mut() else {
        return;
    };
    for condition in conditions.iter_mut().filter(|condition| condition["type"] == "DisruptionAllowed") {
        if condition["status"] != "False" {
            condition["lastTransitionTime"] = now.into();
        }
        condition["status"] = "False".into();
        condition["reason"] = "InsufficientPods".into();
        condition["observedGeneration"] = generation.into();
    }
}

/// The same, with the seconds after which to ask again.
fn again_in(seconds: u32, mut refusal: Status) -> Status {
    refusal.retry_after = Some(seconds);
    if let Some(details) = refusal.details.as_mut() {
        details["retryAfterSeconds"] = seconds.into();
    }
    refusal
}

fn too_many(cause: &str) -> Status {
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    Status::new(429, "TooManyRequests", message)
        .with_details(json!({"causes": [{"reason": "DisruptionBudget", "message": cause}]}))
}
