//! Dependencies: who is held, by whom, and what comes after.

use kubeheal::api::status::{CircuitState, HealedServiceStatus};
use serde_json::json;

use super::{blocked, condition, steps, well};
use crate::world::World;

#[tokio::test(start_paused = true)]
async fn a_dependent_of_a_dead_service_holds_still_and_is_not_charged() {
    let world = World::new();
    well(&world, "db", 1, json!({"mode": "Observe"})).await;
    well(&world, "api", 1, json!({"dependsOn": [{"name": "db"}]})).await;
    well(&world, "web", 1, json!({"dependsOn": [{"name": "api"}]})).await;
    world.pass(120).await;
    world.break_workload("db", "crash").await;
    // Told at once, also to one that sees nothing wrong with itself.
    let held = |status: &HealedServiceStatus| condition(status, "DependenciesReady").0 == "False";
    world.until("api", "held", 30, held).await;
    for name in ["api", "web"] {
        world.break_workload(name, "crash").await;
    }
    world.pass(4 * 3600).await;
    let web = world.status("web").await;
    assert_eq!(condition(&web, "DependenciesReady"), ("False", "DependencyDown"));
    assert_eq!(web.dependencies[0].root.as_deref(), Some("default/db"));
    for name in ["api", "web"] {
        let status = world.status(name).await;
        assert!(steps(&status).is_empty(), "{name}: {:?}", status.history);
        assert!(blocked("DependencyDown")(&status));
        assert_eq!(status.circuit.as_ref().map(|c| c.state), Some(CircuitState::Closed));
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_dependencies_and_cycles_are_said_and_never_acted_on() {
    let world = World::new();
    well(&world, "a", 1, json!({"dependsOn": [{"name": "b"}]})).await;
    well(&world, "b", 1, json!({"dependsOn": [{"name": "a"}]})).await;
    well(&world, "c", 1, json!({"dependsOn": [{"name": "nobody"}]})).await;
    for name in ["a", "b", "c"] {
        world.break_workload(name, "crash").await;
    }
    world.pass(2 * 3600).await;
    for (name, reason) in [("a", "DependencyCycle"), ("b", "DependencyCycle"), ("c", "DependencyUnknown")] {
        let status = world.status(name).await;
        assert_eq!(condition(&status, "Stalled"), ("True", reason), "{name}");
        assert!(steps(&status).is_empty());
    }
}
