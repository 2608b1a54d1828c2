//! The controller itself: its leader dies, and it is taken away.

use kube::api::DeleteParams;
use kubeheal::{api::status::HealthState, leader::LEASE_NAME};
use serde_json::{Value, json};

use crate::{
    failure::{Failure, Result, expect},
    hands::{Hands, uid},
    stage::{Healer, Stage, identity, is, steps, verified},
    workload::Act,
};

pub(super) async fn failover(stage: &Stage) -> Result<()> {
    let home = match stage.theatre.healer {
        Healer::Local => stage.hands.clone(),
        Healer::InCluster => Hands::new(stage.theatre.client.clone(), &stage.theatre.home),
    };
    stage.well("app", 2, None, json!({})).await?;
    let lease = home.until("Lease", LEASE_NAME, "held", |lease| !holder(lease).is_empty()).await?;
    let leader = holder(lease.as_ref()).to_owned();
    let pods = stage.hands.pods("app").await?;
    let sick = pods.first().ok_or_else(|| Failure::new("app has no pods"))?;
    stage.act(sick, Act::NotReady).await?;
    kill(stage, &home, &leader).await?;
    stage.broke();
    home.until("Lease", LEASE_NAME, "taken over", |lease| !holder(lease).is_empty() && holder(lease) != leader).await?;
    stage.saw();
    stage.until("app", "acted on", |status| !steps(status).is_empty()).await?;
    stage.did();
    stage.until("app", "cured by the restart", verified("RestartPod")).await?;
    let well = stage.until("app", "healthy again", is(HealthState::Healthy)).await?;
    stage.healed();
    expect(steps(&well) == ["RestartPod"], || format!("one restart was enough: {:?}", well.history))
}

fn holder(lease: Option<&Value>) -> &str {
    lease.and_then(|lease| lease["spec"]["holderIdentity"].as_str()).unwrap_or_default()
}

/// Without a chance to give the lease back.
async fn kill(stage: &Stage, home: &Hands, leader: &str) -> Result<()> {
    match stage.theatre.healer {
        Healer::Local => {
            let mut controllers = stage.controllers.lock().await;
            let named = (0..).zip(controllers.iter_mut()).find(|(number, _)| identity(*number) == leader);
            let (_, leader) = named.ok_or_else(|| Failure::new(format!("the leader {leader} is none of ours")))?;
            leader.kill().await
        }
        Healer::InCluster => {
            let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
            let killed = home.api("Pod").delete(leader, &at_once).await;
            killed.map(drop).map_err(|error| Failure::api(format!("kill the leader {leader}"), &error))
        }
    }
}

pub(super) async fn uninstall(stage: &Stage) -> Result<()> {
    stage.well("app", 2, None, json!({})).await?;
    let before = stage.hands.expect("Deployment", "app").await?;
    let pods = stage.hands.pods("app").await?;
    let revisions = stage.hands.list("ControllerRevision", "").await?;
    expect(!revisions.is_empty(), || "the last known good definition is kept nowhere".to_owned())?;

    // The harder order: nobody is there any more who could let go of anything.
    stage.stop_controllers().await?;
    stage.hands.delete("HealedService", "app").await?;
    stage.broke();
    stage.hands.until("HealedService", "app", "gone", |found| found.is_none()).await?;
    for revision in &revisions {
        stage.hands.until("ControllerRevision", crate::hands::name(revision), "gone", |found| found.is_none()).await?;
    }
    stage.healed();
    let after = stage.hands.expect("Deployment", "app").await?;
    for part in ["/metadata/uid", "/metadata/generation", "/metadata/annotations", "/metadata/finalizers", "/spec"] {
        expect(before.pointer(part) == after.pointer(part), || {
            format!("{part} of the Deployment was {:?} and is {:?}", before.pointer(part), after.pointer(part))
        })?;
    }
    let left = stage.hands.pods("app").await?;
    expect(left.len() == pods.len() && pods.iter().all(|pod| left.iter().any(|one| uid(one) == uid(pod))), || {
        "a pod was replaced".to_owned()
    })
}
