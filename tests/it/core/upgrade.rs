//! A status that an older build wrote, without `memory`: what people read in it is enough to hold still.

use kubeheal::{api::status::HealedServiceStatus, status::load};
use kubeheal_core::{
    decide,
    model::{
        reason::Reason,
        snapshot::{Snapshot, WorkloadKind},
        state::CircuitState,
    },
};
use serde_json::{Value, json};

use super::simulation::stored;
use crate::support::fixtures::{at, policy, sick, workload};

const NOW: i64 = 3_000;

/// What the build before wrote: its memory lay in many fields, which a server with today's schema drops and one without keeps.
fn older(circuit: &Value) -> HealedServiceStatus {
    let time = |seconds: i64| at(seconds).to_string();
    let condition = json!({
        "type": "Degraded", "status": "True", "reason": "CrashLoop", "message": "1 of 2 pods ready",
        "lastTransitionTime": time(100),
    });
    let entry =
        |step: &str, seconds: i64, outcome: &str| json!({"time": time(seconds), "step": step, "outcome": outcome});
    serde_json::from_value(json!({
        "health": "Unhealthy", "conditions": [condition], "circuit": circuit,
        "history": [
            entry("RestartPod", NOW - 5, "Pending"), entry("CircuitOpened", NOW - 4, "Verified"),
            entry("RestartPod", NOW - 3, "Dropped"),
        ],
        "containers": [{"uid": "uid-api-0", "container": "app", "restartCount": "many"}],
        "notBefore": time(NOW + 30), "inFlight": {"id": 17}, "observedSince": time(0),
    }))
    .unwrap()
}

#[test]
fn an_open_circuit_stays_open_and_recent_actions_count() {
    let open = json!({"state": "Open", "ineffective": 3, "openings": 2, "openedAt": at(NOW - 10).to_string(),
        "retryAt": at(NOW + 600).to_string(), "closedAt": at(10).to_string(), "lastTemplate": "9f2c"});
    let state = load(&older(&open));
    assert_eq!((state.circuit.state(), state.circuit.openings), (CircuitState::Open, 2));
    assert_eq!(state.circuit.retry_at(), Some(at(NOW + 600)));
    assert_eq!(state.attempts.recent.to_vec(), [at(NOW - 5)], "what was dropped was not done");
    assert_eq!(state.history.len(), 3);
    assert!(state.health.degraded && state.observed.since.is_none(), "{state:?}");
    let closed = load(&older(&json!({"state": "Closed", "ineffective": 0, "openings": 0})));
    assert_eq!(closed.circuit.state(), CircuitState::Closed);
    let trial = load(&older(&json!({"state": "HalfOpen", "ineffective": 3, "openings": 1})));
    assert_eq!(trial.circuit.state(), CircuitState::Open, "a trial that was under way is not known to be over");
}

#[test]
fn the_first_decision_after_it_does_nothing_and_the_next_one_is_at_home() {
    let old = older(&json!({"state": "Open", "ineffective": 3, "openings": 1, "retryAt": at(NOW + 600).to_string()}));
    let mut seen = sick(workload(WorkloadKind::Deployment, 1));
    let pods = seen.state.observed.containers.clone();
    seen.state = load(&old);
    seen.state.observed.containers = pods;
    // Answered by the older build, or never: nobody knows.
    (seen.service.reset_breaker, seen.service.heal_now) = (Some("1".to_owned()), Some("1".to_owned()));
    let decision = decide(&policy(), &seen, at(NOW));
    assert_eq!(decision.plan(), None, "{:?}", decision.intent);
    let is_held = decision.blocked_by().iter().any(|block| block.reason == Reason::BreakerOpen);
    assert!(is_held, "{:?}", decision.blocked_by());
    let written = stored(&decision, &old, at(NOW));
    assert_eq!(load(&written), decision.state, "from here on it is a state like any other");
    let again = decide(&policy(), &Snapshot { state: load(&written), ..seen }, at(NOW));
    assert_eq!(again.state.circuit.state(), CircuitState::Open);
}
