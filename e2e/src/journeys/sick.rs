//! Pods that a restart can cure.

use kubeheal::api::status::HealthState;
use serde_json::json;

use crate::{
    failure::{Failure, Result, expect},
    hands::{name, uid},
    stage::{Stage, finds, is, steps, verified},
    workload::Act,
};

pub(super) async fn crash_loop(stage: &Stage) -> Result<()> {
    is_replaced(stage, Act::Crash, "CrashLoop").await
}

pub(super) async fn liveness(stage: &Stage) -> Result<()> {
    is_replaced(stage, Act::Sick, "LivenessFailed").await
}

pub(super) async fn startup(stage: &Stage) -> Result<()> {
    is_replaced(stage, Act::NeverStarts, "StartupFailed").await
}

pub(super) async fn readiness(stage: &Stage) -> Result<()> {
    is_replaced(stage, Act::NotReady, "ReadinessFailed").await
}

pub(super) async fn out_of_memory(stage: &Stage) -> Result<()> {
    is_replaced(stage, Act::OutOfMemory, "OOMKilled").await
}

/// One of two pods falls ill: it is replaced, once, for this cause, and the other is not touched.
async fn is_replaced(stage: &Stage, act: Act, cause: &'static str) -> Result<()> {
    stage.well("app", 2, None, json!({})).await?;
    let pods = stage.hands.pods("app").await?;
    let [sick, other] = pods.as_slice() else {
        return Err(Failure::new(format!("two pods were wanted, {} are there", pods.len())));
    };
    stage.act(sick, act).await?;
    stage.broke();
    stage.until("app", "aware of the cause", finds(cause)).await?;
    stage.saw();
    let acted = stage.until("app", "acted on", |status| !steps(status).is_empty()).await?;
    stage.did();
    let first = &acted.history[0];
    expect(first.step == "RestartPod" && first.cause.as_deref() == Some(cause), || {
        format!("RestartPod for {cause} was wanted, not {first:?}")
    })?;
    expect(first.target.as_deref() == Some(name(sick)), || format!("{} is sick, not {:?}", name(sick), first.target))?;

    stage.until("app", "cured by the restart", verified("RestartPod")).await?;
    let well = stage.until("app", "healthy again", is(HealthState::Healthy)).await?;
    stage.healed();
    expect(steps(&well) == ["RestartPod"], || format!("one restart was enough: {:?}", well.history))?;
    let left = stage.hands.pods("app").await?;
    let has = |pod| left.iter().any(|one| uid(one) == uid(pod));
    expect(!has(sick), || format!("{} is still there", name(sick)))?;
    expect(has(other), || format!("{} was well and has been replaced", name(other)))
}
