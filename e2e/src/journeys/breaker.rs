//! The circuit breaker: repairs that do not help end.

use kubeheal::api::status::HealthState;
use kubeheal_core::model::state::CircuitState;
use serde_json::json;

use crate::{
    failure::{Result, expect},
    hands::uid,
    stage::{Stage, circuit, condition, is, steps},
    workload::{deployment, front},
};

/// app crashes while a backend is away of which kubeheal knows nothing, so no restart of app can help.
pub(super) async fn opens_and_closes(stage: &Stage) -> Result<()> {
    stage.hands.create(front("backend")).await?;
    stage.hands.create(deployment("backend", &stage.theatre.image, 1, None)).await?;
    let available =
        |found: Option<&serde_json::Value>| found.is_some_and(|one| one["status"]["availableReplicas"] == 1);
    stage.hands.until("Deployment", "backend", "available", available).await?;
    let times = json!({
        "remediation": {"verifySeconds": 8},
        "circuitBreaker": {"failureThreshold": 1, "openSeconds": 6, "maxOpenSeconds": 12},
    });
    stage.well("app", 1, Some("backend"), times).await?;

    stage.scale("backend", 0).await?;
    stage.broke();
    stage.until("app", "acted on", |status| !steps(status).is_empty()).await?;
    stage.did();
    let open = stage.until("app", "open", circuit(CircuitState::Open)).await?;
    stage.saw();
    expect(steps(&open).len() == 1, || format!("one vain repair was allowed: {:?}", open.history))?;
    expect(condition(&open, "CircuitOpen").map(|(status, _)| status) == Some("True"), || {
        format!("CircuitOpen should be True: {:?}", open.conditions)
    })?;
    let pods = stage.hands.pods("app").await?;

    let half = stage.until("app", "half open", circuit(CircuitState::HalfOpen)).await?;
    expect(steps(&half).len() <= 2, || format!("an open breaker does nothing: {:?}", half.history))?;
    let again = stage.until("app", "open again", circuit(CircuitState::Open)).await?;
    expect(steps(&again).len() == 2, || format!("one trial was allowed: {:?}", again.history))?;
    expect(again.circuit.as_ref().is_some_and(|circuit| circuit.openings == 2), || {
        format!("it opened twice: {:?}", again.circuit)
    })?;
    let now = stage.hands.pods("app").await?;
    expect(!now.iter().any(|one| pods.iter().any(|pod| uid(pod) == uid(one))), || {
        "the trial replaced no pod".to_owned()
    })?;

    stage.scale("backend", 1).await?;
    let closed = stage
        .until("app", "closed and healthy", |status| {
            circuit(CircuitState::Closed)(status) && is(HealthState::Healthy)(status)
        })
        .await?;
    stage.healed();
    expect(condition(&closed, "CircuitOpen").map(|(status, _)| status) == Some("False"), || {
        format!("CircuitOpen should be False: {:?}", closed.conditions)
    })
}
