//! What no restart cures: it is named, and nothing is done.

use kubeheal::api::status::HealthState;
use serde_json::{Value, json};

use crate::{
    failure::{Result, expect},
    hands::uid,
    stage::{Stage, finds, is, steps},
    workload::NO_IMAGE,
};

pub(super) async fn image(stage: &Stage) -> Result<()> {
    is_named(stage, json!({"image": NO_IMAGE}), "ImagePull").await?;
    // As somebody does who notices.
    stage.hands.patch_template("app", &json!({"image": stage.theatre.image})).await?;
    is_well_by_itself(stage).await
}

pub(super) async fn config(stage: &Stage) -> Result<()> {
    is_named(stage, json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}), "ConfigError").await?;
    stage.hands.create(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}})).await?;
    is_well_by_itself(stage).await
}

/// After this change of the template kubeheal names the cause, and leaves the old pods, which are well, alone.
async fn is_named(stage: &Stage, change: Value, cause: &'static str) -> Result<()> {
    stage.well("app", 2, None, json!({})).await?;
    let before = stage.hands.pods("app").await?;
    stage.hands.patch_template("app", &change).await?;
    stage.broke();
    stage.until("app", "aware of the cause", finds(cause)).await?;
    stage.saw();
    let now = stage.hands.pods("app").await?;
    for pod in &before {
        expect(now.iter().any(|one| uid(one) == uid(pod)), || {
            format!("{} was well and is gone", pod["metadata"]["name"])
        })?;
    }
    Ok(())
}

async fn is_well_by_itself(stage: &Stage) -> Result<()> {
    let cured = |status: &_| is(HealthState::Healthy)(status) && status.findings.is_empty();
    let well = stage.until("app", "well again", cured).await?;
    stage.healed();
    expect(steps(&well).is_empty(), || format!("nothing was to be done: {:?}", well.history))
}
