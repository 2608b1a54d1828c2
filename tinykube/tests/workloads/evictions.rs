//! What an eviction is answered, whatever the budgets say: the rules of the real server, in its order and its words.

use serde_json::{Value, json};
use tinykube::api::{DeleteOptions, Options, Part};

use crate::World;

/// A budget for all pods of `web`, as its controller left it.
fn budget(name: &str, spec: &Value, status: &Value) -> Value {
    let mut object = json!({
        "metadata": {"name": name},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        "status": {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2},
    });
    for (part, more) in [("spec", spec), ("status", status)] {
        for (field, value) in more.as_object().into_iter().flatten() {
            object[part][field] = value.clone();
        }
    }
    object
}

/// What it is, phase, readiness and budgets of the pod, and code and cause of the refusal, if there is one.
type Row = (&'static str, &'static str, bool, Vec<Value>, Option<(u16, &'static str)>);

/// What the server would answer to the eviction of a pod in that phase: nothing, or code and cause.
fn answer(phase: &str, ready: bool, budgets: &[Value]) -> Option<(u16, String)> {
    let world = World::new();
    let container = json!({"name": "app", "image": "app:1"});
    let pod = json!({"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"containers": [container]}});
    world.create("", "pods", pod);
    let api = world.cluster.api();
    let status = |plural: &str, group: &str, name: &str, status: Value| {
        let resource = api.resource(group, plural).unwrap();
        let changed = |object: &mut Value| object["status"] = status;
        api.modify(resource.named("test", name), Part::Status, &Options::default(), changed).unwrap();
    };
    let ready = if ready { "True" } else { "False" };
    status("pods", "", "web", json!({"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}));
    for budget in budgets {
        let name = budget["metadata"]["name"].as_str().unwrap();
        world.create("policy", "poddisruptionbudgets", budget.clone());
        status("poddisruptionbudgets", "policy", name, budget["status"].clone());
    }
    let options = DeleteOptions { dry_run: true, ..DeleteOptions::default() };
    let refused = api.evict("test", "web", &options).err()?;
    let cause =
        refused.details.as_ref().and_then(|details| details["causes"][0]["message"].as_str().map(str::to_owned));
    Some((refused.code, cause.unwrap_or(refused.message)))
}

#[tokio::test(start_paused = true)]
async fn budgets_are_asked_in_the_order_of_the_real_server() {
    let (none, always) = (json!({}), json!({"unhealthyPodEvictionPolicy": "AlwaysAllow"}));
    let one = |spec: &Value, status: Value| vec![budget("one", spec, &status)];
    let short = json!({"currentHealthy": 1});
    let needs = "The disruption budget one needs 2 healthy pods and has 2 currently";
    let twice = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    let two = vec![budget("one", &always, &json!({"disruptionsAllowed": 9})), budget("two", &always, &json!({}))];
    let no_sync =
        json!([{"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": "no scale"}]);
    let table: Vec<Row> = vec![
        ("ready, and the budget allows none", "Running", true, one(&none, json!({})), Some((429, needs))),
        ("not ready, and the budget is met without it", "Running", false, one(&none, json!({})), None),
        (
            "not ready, and the budget is not met",
            "Running",
            false,
            one(&none, short.clone()),
            Some((429, "The disruption budget one needs 2 healthy pods and has 1 currently")),
        ),
        ("not ready, and always allowed", "Running", false, one(&always, short.clone()), None),
        ("ready, always allowed is for others", "Running", true, one(&always, json!({})), Some((429, needs))),
        ("pending", "Pending", false, one(&none, short.clone()), None),
        ("failed", "Failed", false, two.clone(), None),
        ("over", "Succeeded", false, two.clone(), None),
        ("two", "Running", false, two, Some((500, twice))),
        ("no selector", "Running", true, one(&json!({"selector": null}), json!({})), None),
        ("an empty selector", "Running", true, one(&json!({"selector": {}}), json!({})), Some((429, needs))),
        (
            "not counted anew",
            "Running",
            true,
            one(&none, json!({"observedGeneration": 0, "disruptionsAllowed": 1})),
            Some((429, "The disruption budget one is still being processed by the server.")),
        ),
        ("not counted anew, not ready", "Running", false, one(&none, json!({"observedGeneration": 0})), None),
        (
            "negative",
            "Running",
            true,
            one(&none, json!({"disruptionsAllowed": -1})),
            Some((403, "poddisruptionbudgets.policy \"one\" is forbidden: pdb disruptions allowed is negative")),
        ),
        (
            "cannot be counted",
            "Running",
            true,
            one(&none, json!({"conditions": no_sync})),
            Some((
                429,
                "The disruption budget one does not allow evicting pods currently because it failed sync: no scale",
            )),
        ),
    ];
    for (what, phase, ready, budgets, expected) in table {
        let expected = expected.map(|(code, cause)| (code, cause.to_owned()));
        assert_eq!(answer(phase, ready, &budgets), expected, "{what}");
    }
}
