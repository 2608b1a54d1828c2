//! Policies at work: what changes in them reaches the services, and what they forbid is not done.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use http::{Request, Response};
use kube::{Client, client::Body, core::Status};
use kubeheal::api::{
    self,
    status::{HealedServiceStatus, HealthState},
};
use kubeheal_core::model::state::CircuitState;
use serde_json::json;

use super::{blocked, condition, is, steps, well};
use crate::support::world::{World, deployment, policy, service};

const POLICIES: &str = "/clusterhealingpolicies";

fn overrides(status: &HealedServiceStatus) -> Vec<String> {
    status.effective_policy.clone().unwrap_or_default().overrides
}

fn message(status: &HealedServiceStatus, kind: &str) -> String {
    status.conditions.iter().find(|condition| condition.type_ == kind).unwrap().message.clone()
}

#[tokio::test(start_paused = true)]
async fn a_changed_policy_is_in_force_at_once_for_all_who_follow_it() {
    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    well(&world, "own", 1, json!({"mode": "Heal"})).await;
    let before = world.status("api").await.effective_policy.unwrap();
    assert_eq!(before.overrides, Vec::<String>::new());

    world.create(policy("HealingPolicy", "default", json!({"template": {"mode": "Observe"}}))).await;
    let observed = world.until("api", "observed", 5, |s| condition(s, "RemediationAllowed").1 == "Observing").await;
    assert_eq!(overrides(&observed), ["mode: HealingPolicy/default"]);
    assert_ne!(observed.effective_policy.unwrap().digest, before.digest);
    assert_eq!(condition(&world.status("own").await, "RemediationAllowed"), ("True", "Allowed"), "its own field wins");

    world.break_pods("api", "crash").await;
    world.break_pods("own", "crash").await;
    world.pass(3600).await;
    assert!(steps(&world.status("api").await).is_empty());
    assert!(!steps(&world.status("own").await).is_empty());

    world.delete("HealingPolicy", "default").await;
    let healed = world.until("api", "healed again", 3600, |s| !steps(s).is_empty()).await;
    assert_eq!(healed.effective_policy.unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_named_and_missing_holds_the_service_still_and_it_is_watched() {
    let world = World::new();
    well(&world, "api", 1, json!({"policyRef": {"kind": "HealingPolicy", "name": "careful"}})).await;
    let status = world.status("api").await;
    assert_eq!(condition(&status, "RemediationAllowed"), ("False", "PolicyNotFound"));
    assert_eq!(condition(&status, "Stalled"), ("True", "PolicyNotFound"));
    assert_eq!(condition(&status, "Ready").0, "True", "it is still looked at");
    assert!(message(&status, "Stalled").contains("create it, or change policyRef"));

    world.break_pods("api", "crash").await;
    let held = world.until("api", "unhealthy and held", 3600, blocked("PolicyNotFound")).await;
    assert_eq!(held.health, Some(HealthState::Unhealthy));
    world.pass(3600).await;
    assert!(steps(&world.status("api").await).is_empty());

    world.create(policy("HealingPolicy", "careful", json!({}))).await;
    let healing = world.until("api", "healed", 600, |s| !steps(s).is_empty()).await;
    assert_ne!(condition(&healing, "Stalled").1, "PolicyNotFound");
}

#[tokio::test(start_paused = true)]
async fn a_contradiction_between_service_and_policy_is_stalled_with_a_sentence() {
    let world = World::new();
    let spec = json!({"template": {"circuitBreaker": {"failureThreshold": 4, "windowSeconds": 7200}}});
    world.create(policy("ClusterHealingPolicy", "default", spec)).await;
    well(&world, "api", 1, json!({"circuitBreaker": {"windowSeconds": 3600}})).await;
    let status = world.status("api").await;
    assert_eq!(condition(&status, "Stalled"), ("True", "PolicyInvalid"));
    let sentence = message(&status, "Stalled");
    assert!(sentence.contains("spec over ClusterHealingPolicy/default"), "{sentence}");
    assert!(
        sentence.contains("windowSeconds is 3600, so the circuit could never open: write at least 4800"),
        "{sentence}"
    );
    world.break_pods("api", "crash").await;
    world.pass(3600).await;
    assert!(steps(&world.status("api").await).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_paused_cluster_does_nothing_until_the_last_reason_is_gone() {
    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    let paused = |reasons: serde_json::Value| json!({"cluster": {"paused": reasons}});
    world.create(policy("ClusterHealingPolicy", "default", paused(json!(["a drill", "an upgrade"])))).await;
    let status = world.until("api", "paused", 5, |s| condition(s, "RemediationAllowed").1 == "ClusterPaused").await;
    assert!(message(&status, "RemediationAllowed").contains("a drill; an upgrade"));

    world.break_pods("api", "crash").await;
    world.until("api", "held", 3600, blocked("ClusterPaused")).await;
    world.patch("ClusterHealingPolicy", "default", json!({"spec": paused(json!(["an upgrade"]))})).await;
    world.pass(3600).await;
    assert!(steps(&world.status("api").await).is_empty());
    world.patch("ClusterHealingPolicy", "default", json!({"spec": paused(json!([]))})).await;
    world.until("api", "healed", 600, |s| !steps(s).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn limits_of_the_cluster_are_those_of_its_default_policy() {
    let world = World::new();
    let calm = json!({"cluster": {"storm": {"minimum": 50, "percent": 100}}});
    world.create(policy("ClusterHealingPolicy", "default", calm)).await;
    let names = ["a", "b", "c", "d"];
    for name in names {
        well(&world, name, 1, json!({})).await;
    }
    for name in names {
        world.break_pods(name, "not-ready").await;
    }
    for name in names {
        world.until(name, "acted on: four at once are no storm here", 3600, |s| !steps(s).is_empty()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_ceiling_holds_even_when_a_person_asks_and_when_the_breaker_forgave() {
    let world = World::new();
    let ceiling = json!({"ceilings": {"maxActionsPerHour": 2, "allowedSteps": ["RestartPod"]}});
    world.create(policy("ClusterHealingPolicy", "default", ceiling)).await;
    well(&world, "api", 1, json!({})).await;
    world.break_workload("api", "crash").await;
    world.break_pods("api", "crash").await;
    let held = world.until("api", "at its ceiling", 3 * 3600, blocked("ActionCeiling")).await;
    assert_eq!(held.memory.attempts.recent.len(), 2, "{:?}", held.memory.attempts.recent);
    assert_eq!(overrides(&held), ["remediation.ladder: ceilings of ClusterHealingPolicy/default"]);
    let annotations = |value: &str| json!({"metadata": {"annotations": {"kubeheal.dev/reset-breaker": value, "kubeheal.dev/heal-now": value}}});
    world.patch("HealedService", "api", annotations("1")).await;
    world.pass(60).await;
    let status = world.status("api").await;
    assert_eq!(status.circuit.as_ref().unwrap().state, CircuitState::Closed);
    assert!(blocked("ActionCeiling")(&status), "{:?}", status.blocked_by);
    assert_eq!(steps(&status).len(), 2);
    world.until("api", "acted on when the hour is over", 3600, |s| steps(s).len() == 3).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_kinds_of_policies_healing_goes_on_and_it_is_said() {
    let crds = api::crds().into_iter().take(1).collect();
    let mut world = World::with_crds(crds);
    world.start_controller();
    well(&world, "api", 1, json!({})).await;
    let allowed = message(&world.status("api").await, "RemediationAllowed");
    assert!(
        allowed.contains("listing clusterhealingpolicies: the API server does not know this resource"),
        "{allowed}"
    );
    world.break_pods("api", "crash").await;
    world.until("api", "healed", 3600, |s| !steps(s).is_empty()).await;

    world.create(deployment("named", 1)).await;
    world.create(service("named", json!({"policyRef": {"kind": "HealingPolicy", "name": "careful"}}))).await;
    let held = world.until("named", "healthy", 60, is(HealthState::Healthy)).await;
    assert_eq!(condition(&held, "RemediationAllowed"), ("False", "PolicyUnknown"));
    assert_eq!(condition(&held, "Stalled").0, "False", "it may come back");
}

/// A client whose requests for a resource of the cluster are answered with this code, unless it is 200.
pub(super) fn refusing(inner: Client, resource: &'static str, code: Arc<AtomicU16>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, code) = (inner.clone(), code.load(Ordering::Relaxed));
        async move {
            if code == 200 || !request.uri().path().ends_with(resource) {
                return inner.send(request).await;
            }
            let status = Status::failure("not now, or not you", "Refused").with_code(code);
            let body = Body::from(serde_json::to_vec(&status).unwrap());
            Ok(Response::builder().status(code).body(body).unwrap())
        }
    });
    Client::new(service, "default")
}

#[tokio::test(start_paused = true)]
async fn in_one_namespace_alone_policies_of_the_cluster_may_be_forbidden() {
    let mut world = World::without_controller();
    let client = refusing(world.client.clone(), POLICIES, Arc::new(AtomicU16::new(403)));
    world.start_controller_with(client, Some("default"));
    world
        .create(policy("HealingPolicy", "default", json!({"template": {"remediation": {"ladder": ["RestartPod"]}}})))
        .await;
    well(&world, "api", 1, json!({})).await;
    let status = world.status("api").await;
    assert_eq!(overrides(&status), ["remediation.ladder: HealingPolicy/default"]);
    let allowed = message(&status, "RemediationAllowed");
    assert!(
        allowed.contains("limits of the cluster may be missing: listing clusterhealingpolicies: not permitted"),
        "{allowed}"
    );
    world.break_pods("api", "crash").await;
    world.until("api", "healed", 3600, |s| !steps(s).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_before_policies_have_been_read() {
    let mut world = World::without_controller();
    let code = Arc::new(AtomicU16::new(500));
    let paused = json!({"cluster": {"paused": ["a drill"]}});
    world.create(policy("ClusterHealingPolicy", "default", paused)).await;
    world.create(deployment("api", 1)).await;
    world.create(service("api", json!({}))).await;
    world.break_workload("api", "crash").await;
    world.start_controller_with(refusing(world.client.clone(), POLICIES, code.clone()), None);
    world.pass(3600).await;
    let status = world.status("api").await;
    assert_eq!(status.health, Some(HealthState::Unknown), "{status:#?}");
    assert!(message(&status, "Ready").contains("the watch of clusterhealingpolicies is interrupted"), "{status:#?}");
    code.store(200, Ordering::Relaxed);
    world.until("api", "held by what the policy says", 3600, blocked("ClusterPaused")).await;
    // What was read once still holds when it may not be read any more.
    code.store(403, Ordering::Relaxed);
    world.pass(3600).await;
    let status = world.status("api").await;
    assert!(blocked("ClusterPaused")(&status) && steps(&status).is_empty(), "{status:#?}");
    // Without the kind there is no policy.
    code.store(404, Ordering::Relaxed);
    world.until("api", "acted on", 3600, |s| !steps(s).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_policy_that_is_taken_away_takes_its_objects_along() {
    let world = World::new();
    world.create(policy("HealingPolicy", "default", json!({"template": {"mode": "Observe"}}))).await;
    well(&world, "api", 1, json!({})).await;
    assert_eq!(condition(&world.status("api").await, "RemediationAllowed").1, "Observing");
    world.delete("CustomResourceDefinition", "healingpolicies.kubeheal.dev").await;
    let alone = world.until("api", "on its own", 300, |s| condition(s, "RemediationAllowed").0 == "True").await;
    assert_eq!(overrides(&alone), Vec::<String>::new());
}
