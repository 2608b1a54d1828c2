//! What is gone: pods, workloads, and what only looks gone.

use kubeheal::api::status::HealthState;
use serde_json::json;

use crate::{
    failure::{Failure, Result, expect},
    hands::{name, uid},
    stage::{Stage, is, steps, verified},
    workload::{bare_pod, healed},
};

pub(super) async fn pod(stage: &Stage) -> Result<()> {
    // One that nothing but kubeheal brings back.
    stage.hands.create(bare_pod("bare", &stage.theatre.image)).await?;
    stage.hands.create(healed("bare", &json!({"workloadRef": {"kind": "Pod"}}))).await?;
    stage.well("app", 2, None, json!({})).await?;
    stage.until_well("bare").await?;

    let pods = stage.hands.pods("app").await?;
    let removed = pods.first().ok_or_else(|| Failure::new("app has no pods"))?;
    stage.hands.delete("Pod", name(removed)).await?;
    stage.hands.delete("Pod", "bare").await?;
    stage.broke();
    stage.until("app", "short of a pod", |status| status.pods.as_ref().is_some_and(|pods| pods.ready < 2)).await?;
    let well = stage.until("app", "healthy again", is(HealthState::Healthy)).await?;
    expect(steps(&well).is_empty(), || format!("its controller replaces it: {:?}", well.history))?;

    stage.until("bare", "seen to be gone", |status| status.memory.observed.missing_since.is_some()).await?;
    stage.saw();
    stage.until("bare", "created again", |status| steps(status) == ["RecreateWorkload"]).await?;
    stage.did();
    stage
        .until("bare", "healthy again", |status| {
            is(HealthState::Healthy)(status) && verified("RecreateWorkload")(status)
        })
        .await?;
    stage.healed();
    Ok(())
}

pub(super) async fn workload(stage: &Stage) -> Result<()> {
    stage.well("app", 2, None, json!({})).await?;
    let before = stage.hands.expect("Deployment", "app").await?;
    stage.hands.delete("Deployment", "app").await?;
    stage.broke();
    stage.until("app", "seen to be gone", |status| status.memory.observed.missing_since.is_some()).await?;
    stage.saw();
    stage.until("app", "created again", |status| steps(status) == ["RecreateWorkload"]).await?;
    stage.did();
    stage
        .until("app", "healthy again", |status| {
            is(HealthState::Healthy)(status) && verified("RecreateWorkload")(status)
        })
        .await?;
    stage.healed();

    let after = stage.hands.expect("Deployment", "app").await?;
    expect(uid(&before) != uid(&after), || "the Deployment never went away".to_owned())?;
    expect(before["spec"] == after["spec"], || format!("{:#} has become {:#}", before["spec"], after["spec"]))?;
    expect(before["metadata"]["labels"] == after["metadata"]["labels"], || {
        format!("{} has become {}", before["metadata"]["labels"], after["metadata"]["labels"])
    })
}

pub(super) async fn scaled_to_zero(stage: &Stage) -> Result<()> {
    stage.well("app", 2, None, json!({})).await?;
    stage.scale("app", 0).await?;
    stage.broke();
    let idle = stage.until("app", "idle", is(HealthState::Idle)).await?;
    stage.saw();
    expect(idle.findings.is_empty(), || format!("nothing is wrong with it: {:?}", idle.findings))?;
    stage.scale("app", 2).await?;
    let well = stage.until("app", "healthy again", is(HealthState::Healthy)).await?;
    stage.healed();
    expect(steps(&well).is_empty(), || format!("nothing was to be done: {:?}", well.history))
}
