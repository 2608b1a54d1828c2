//! Reasons to do nothing: a dead dependency, a storm, somebody who only wants to see.

use futures::future::try_join_all;
use kubeheal::api::status::{HealedServiceStatus, HealthState};
use kubeheal_core::model::state::CircuitState;
use serde_json::{Value, json};

use crate::{
    failure::{Result, expect},
    hands::uid,
    stage::{Stage, circuit, condition, finds, is, is_blocked, steps, verified},
    workload::{Act, bare_pod, front},
};

pub(super) async fn dependency(stage: &Stage) -> Result<()> {
    stage.hands.create(front("db")).await?;
    // Only observed, so that it stays down until somebody repairs it.
    stage.well("db", 1, None, json!({"mode": "Observe"})).await?;
    stage.well("app", 1, Some("db"), json!({"dependsOn": [{"name": "db", "stableSeconds": 1}]})).await?;
    let ready = |status: &HealedServiceStatus| condition(status, "DependenciesReady") == Some(("True", "AllReady"));
    stage.until("app", "sure of its dependency", ready).await?;

    stage.act_all("db", Act::NotReady).await?;
    stage.broke();
    let down =
        |status: &HealedServiceStatus| condition(status, "DependenciesReady") == Some(("False", "DependencyDown"));
    stage.until("app", "told that db is down", down).await?;
    stage.saw();
    // It really crashes, and long enough that without a dependency it would be restarted.
    let held = |status: &HealedServiceStatus| is_blocked("DependencyDown")(status) && finds("CrashLoop")(status);
    stage.until("app", "crashing and held", held).await?;

    stage.act_all("db", Act::Well).await?;
    let well = stage.until("app", "well again", |status| is(HealthState::Healthy)(status) && ready(status)).await?;
    stage.healed();
    expect(steps(&well).is_empty(), || format!("nothing was to be done: {:?}", well.history))?;
    expect(circuit(CircuitState::Closed)(&well), || format!("it is not to blame: {:?}", well.circuit))
}

/// Three of a namespace's five services fall ill at once, each of which was well for long enough to count.
pub(super) async fn storm(stage: &Stage) -> Result<()> {
    let names: Vec<String> = (0..5).map(|number| format!("app-{number}")).collect();
    // Patient enough that all of them are seen before the first may act, although they do not fall ill in the same second.
    let patient = json!({"health": {"notReadySeconds": 20}});
    try_join_all(names.iter().map(|name| stage.well(name, 1, None, patient.clone()))).await?;
    let proven = |status: &HealedServiceStatus| status.memory.health.proven;
    try_join_all(names.iter().map(|name| stage.until(name, "well for long enough to count", proven))).await?;
    let pods = stage.hands.list("Pod", "").await?;
    let ill = &names[..3];
    try_join_all(ill.iter().map(|name| stage.act_all(name, Act::NotReady))).await?;
    stage.broke();
    try_join_all(ill.iter().map(|name| stage.until(name, "held by the storm", is_blocked("StormHold")))).await?;
    stage.saw();
    try_join_all(ill.iter().map(|name| stage.act_all(name, Act::Well))).await?;
    let well =
        try_join_all(ill.iter().map(|name| stage.until(name, "healthy again", is(HealthState::Healthy)))).await?;
    stage.healed();
    for status in well {
        expect(steps(&status).is_empty(), || format!("nothing was to be done: {:?}", status.history))?;
    }
    let left = stage.hands.list("Pod", "").await?;
    expect(left.len() == pods.len() && pods.iter().all(|pod| left.iter().any(|one| uid(one) == uid(pod))), || {
        "a pod was replaced in the storm".to_owned()
    })
}

/// A webhook that fails closed, and whose service is not there: what is evicted now does not come again.
pub(super) async fn webhook(stage: &Stage) -> Result<()> {
    stage.well("app", 2, None, json!({})).await?;
    let home = stage.hands.expect("Namespace", &stage.namespace).await?;
    stage.hands.create(refusing(&stage.namespace, uid(&home))).await?;
    stage.hands.until_refused(&bare_pod("probe", &stage.theatre.image)).await?;
    stage.scale("app", 3).await?;
    let before = stage.hands.pods("app").await?;
    for pod in before.iter().take(1) {
        stage.act(pod, Act::NotReady).await?;
    }
    stage.broke();
    let held = |status: &HealedServiceStatus| {
        let named = |message: &str| message.contains(&format!("failed calling webhook \"{WEBHOOK}\""));
        let mut blocks = status.blocked_by.iter();
        finds("ReadinessFailed")(status)
            && blocks.any(|block| block.reason == "ReplacementUncertain" && named(&block.message))
    };
    let status = stage.until("app", "held, and the webhook named", held).await?;
    stage.saw();
    expect(steps(&status).is_empty(), || format!("nothing may be done: {:?}", status.history))?;
    let after = stage.hands.pods("app").await?;
    expect(after.len() == 2 && before.iter().all(|pod| after.iter().any(|one| uid(one) == uid(pod))), || {
        "a pod went while none could come".to_owned()
    })?;

    stage.hands.delete("ValidatingWebhookConfiguration", &stage.namespace).await?;
    is_cured(stage).await
}

const WEBHOOK: &str = "pods.e2e.kubeheal.dev";

/// A webhook for the pods of one namespace. It goes with the namespace, whatever becomes of the journey.
fn refusing(namespace: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {
            "name": namespace,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": namespace, "uid": uid}],
        },
        "webhooks": [{
            "name": WEBHOOK,
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "clientConfig": {"service": {"namespace": namespace, "name": "gate"}},
            "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        }],
    })
}

pub(super) async fn observe(stage: &Stage) -> Result<()> {
    is_observed(stage).await?;
    stage.act_all("app", Act::Well).await?;
    let well = stage.until("app", "healthy again", is(HealthState::Healthy)).await?;
    stage.healed();
    expect(steps(&well).is_empty(), || format!("nothing was to be done: {:?}", well.history))
}

pub(super) async fn policy(stage: &Stage) -> Result<()> {
    is_observed(stage).await?;
    stage.hands.patch("HealedService", "app", json!({"spec": {"mode": "Heal"}})).await?;
    is_cured(stage).await
}

/// What held the restart back is gone: it comes, and helps.
async fn is_cured(stage: &Stage) -> Result<()> {
    stage.until("app", "acted on", |status| !steps(status).is_empty()).await?;
    stage.did();
    stage.until("app", "cured by the restart", verified("RestartPod")).await?;
    stage.until("app", "healthy again", is(HealthState::Healthy)).await?;
    stage.healed();
    Ok(())
}

/// A sick pod of a service in mode Observe: it is said what would be done, and not done.
async fn is_observed(stage: &Stage) -> Result<()> {
    stage.well("app", 1, None, json!({"mode": "Observe"})).await?;
    let before = stage.hands.pods("app").await?;
    stage.act_all("app", Act::NotReady).await?;
    stage.broke();
    let reported = |status: &HealedServiceStatus| {
        is(HealthState::Unhealthy)(status)
            && finds("ReadinessFailed")(status)
            && condition(status, "RemediationAllowed") == Some(("False", "Observing"))
    };
    let status = stage.until("app", "reported on", reported).await?;
    stage.saw();
    expect(steps(&status).is_empty(), || format!("nothing may be done: {:?}", status.history))?;
    let after = stage.hands.pods("app").await?;
    expect(before.first().map(uid) == after.first().map(uid), || "the pod was replaced".to_owned())
}
