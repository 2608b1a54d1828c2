//! Admission webhooks that nobody answers: whom they have a say in, and what their requests are told.

use std::time::Duration;

use serde_json::{Value, json};
use tinykube::Cluster;

use crate::strict::send;

pub(crate) const JSON: &str = "application/json";
pub(crate) const HOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const MUTATING: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
const PODS: &str = "/api/v1/namespaces/shop/pods";

/// A webhook about the creation of pods, whose service is `gate` in `policy`, with these changes.
pub(crate) fn hook(changes: &Value) -> Value {
    let mut hook = json!({
        "name": "pods.policy.example",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": "policy", "name": "gate", "path": "/check"}},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
    });
    for (field, value) in changes.as_object().unwrap() {
        hook[field] = value.clone();
    }
    hook
}

pub(crate) fn configuration(changes: &Value) -> Value {
    json!({"metadata": {"name": "gate"}, "webhooks": [hook(changes)]})
}

pub(crate) fn rule(operation: &str, group: &str, resource: &str) -> Value {
    json!({"rules": [{
        "operations": [operation], "apiGroups": [group], "apiVersions": ["*"], "resources": [resource],
    }]})
}

fn pod(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]},
    })
}

async fn post(cluster: &Cluster, path: &str, object: &Value) {
    let (status, answer, _) = send(cluster, "POST", path, JSON, &object.to_string()).await;
    assert_eq!(status, 201, "{answer}");
}

/// What there is before the webhook is: namespaces, a pod, a Deployment, and the service that nobody stands behind.
async fn prepared() -> Cluster {
    let cluster = Cluster::builder().without_controllers().start().unwrap();
    for (name, tier) in [("shop", "front"), ("policy", "system")] {
        let namespace = json!({"metadata": {"name": name, "labels": {"tier": tier}}});
        post(&cluster, "/api/v1/namespaces", &namespace).await;
    }
    let service = json!({"metadata": {"name": "gate"}, "spec": {"ports": [{"port": 443, "targetPort": 8443}]}});
    post(&cluster, "/api/v1/namespaces/policy/services", &service).await;
    post(&cluster, PODS, &pod("there")).await;
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": pod("")["spec"]});
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template});
    let deployment = json!({"metadata": {"name": "web"}, "spec": spec});
    post(&cluster, "/apis/apps/v1/namespaces/shop/deployments", &deployment).await;
    let node = json!({"metadata": {"name": "n1"}});
    post(&cluster, "/api/v1/nodes", &node).await;
    cluster
}

fn slice(ready: Option<bool>, port: &str) -> Value {
    let endpoints = ready.map(|ready| json!([{"addresses": ["10.0.0.9"], "conditions": {"ready": ready}}]));
    json!({
        "metadata": {"name": "gate-1", "labels": {"kubernetes.io/service-name": "gate"}},
        "addressType": "IPv4",
        "endpoints": endpoints.unwrap_or_default(),
        "ports": [{"name": port, "protocol": "TCP", "port": 8443}],
    })
}

/// The reason for which a request is refused, which is that of a webhook.
fn reason(status: u16, answer: &Value) -> Option<String> {
    if status < 300 {
        return None;
    }
    let cause = answer["details"]["causes"][0]["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!((status, &answer["reason"]), (500, &json!("InternalError")), "{answer}");
    assert_eq!(answer["message"], format!("Internal error occurred: {cause}"));
    Some(cause.to_owned())
}

#[tokio::test]
async fn a_webhook_that_nobody_answers_refuses_what_it_has_a_say_in_in_the_words_of_the_real_server() {
    let to = |service: Value| json!({"clientConfig": {"service": service}});
    let none = "no endpoints available for service \"gate\"";
    let url = "Post \"https://gate.policy.svc:443/check?timeout=10s\"";
    let said = |url: &str, why: &str| {
        Some(format!("failed calling webhook \"pods.policy.example\": failed to call webhook: {url}: {why}"))
    };
    let fails = || said(url, none);
    for (what, changes, endpoints, expected) in [
        ("no endpoints", json!({}), None, fails()),
        ("an endpoint that is not ready", json!({}), Some(slice(Some(false), "")), fails()),
        ("an endpoint of another port", json!({}), Some(slice(Some(true), "other")), fails()),
        ("a slice without endpoints", json!({}), Some(slice(None, "")), fails()),
        ("a ready endpoint", json!({}), Some(slice(Some(true), "")), None),
        ("ignored", json!({"failurePolicy": "Ignore"}), None, None),
        ("an address", json!({"clientConfig": {"url": "https://gate.example/check"}}), None, None),
        (
            "no such service",
            to(json!({"namespace": "policy", "name": "gone"})),
            None,
            said("Post \"https://gone.policy.svc:443/?timeout=10s\"", "service \"gone\" not found"),
        ),
        (
            "no such port",
            to(json!({"namespace": "policy", "name": "gate", "port": 8443, "path": "/a/b/"})),
            Some(slice(Some(true), "")),
            said(
                "Post \"https://gate.policy.svc:8443/a/b?timeout=10s\"",
                "no service port 8443 found for service \"gate\"",
            ),
        ),
        (
            "its own time",
            json!({"timeoutSeconds": 3}),
            None,
            said("Post \"https://gate.policy.svc:443/check?timeout=3s\"", none),
        ),
    ] {
        for path in [HOOKS, MUTATING] {
            for dry_run in ["", "?dryRun=All"] {
                let cluster = prepared().await;
                if let Some(slice) = &endpoints {
                    let slices = "/apis/discovery.k8s.io/v1/namespaces/policy/endpointslices";
                    post(&cluster, slices, slice).await;
                }
                post(&cluster, path, &configuration(&changes)).await;
                let body = pod("new").to_string();
                let (status, answer, _) = send(&cluster, "POST", &format!("{PODS}{dry_run}"), JSON, &body).await;
                assert_eq!(reason(status, &answer), expected, "{what}, {path}{dry_run}");
                let found = send(&cluster, "GET", &format!("{PODS}/new"), "", "").await.0;
                assert_eq!(found, if expected.is_none() && dry_run.is_empty() { 200 } else { 404 }, "{what}");
            }
        }
    }
}

/// Method, path and body of a request about what is there.
fn request(name: &str) -> (&'static str, String, Value) {
    let there = format!("{PODS}/there");
    let labelled = json!({"metadata": {"labels": {"a": "b"}}});
    let web = "/apis/apps/v1/namespaces/shop/deployments/web";
    match name {
        "create" => ("POST", PODS.to_owned(), pod("new")),
        "change" => ("PATCH", there, labelled),
        "delete" => ("DELETE", there, json!({})),
        "evict" => ("POST", format!("{there}/eviction"), json!({"metadata": {"name": "there"}})),
        "bind" => {
            let binding = json!({"metadata": {"name": "there"}, "target": {"kind": "Node", "name": "n1"}});
            ("POST", format!("{there}/binding"), binding)
        }
        "status" => ("PATCH", format!("{there}/status"), json!({"status": {"phase": "Running"}})),
        "scale" => ("PATCH", format!("{web}/scale"), json!({"spec": {"replicas": 3}})),
        "node" => ("PATCH", "/api/v1/nodes/n1".to_owned(), labelled),
        "namespace" => {
            let tier = json!({"metadata": {"labels": {"tier": "back"}}});
            ("PATCH", "/api/v1/namespaces/shop".to_owned(), tier)
        }
        "token" => {
            let path = "/api/v1/namespaces/shop/serviceaccounts/default/token";
            ("POST", path.to_owned(), json!({"spec": {}}))
        }
        "event" => {
            let about = json!({"kind": "Pod", "namespace": "shop", "name": "there"});
            let event = json!({
                "metadata": {"name": "e", "namespace": "shop"}, "type": "Normal", "involvedObject": about,
            });
            ("POST", "/api/v1/namespaces/shop/events".to_owned(), event)
        }
        "itself" => ("PATCH", format!("{HOOKS}/gate"), labelled),
        other => panic!("{other}"),
    }
}

/// Whether a webhook with these changes refuses a request.
async fn has_a_say(changes: &Value, name: &str) -> bool {
    let cluster = prepared().await;
    post(&cluster, HOOKS, &configuration(changes)).await;
    let (method, path, body) = request(name);
    let kind = if method == "PATCH" { "application/merge-patch+json" } else { JSON };
    let (status, answer, _) = send(&cluster, method, &path, kind, &body.to_string()).await;
    reason(status, &answer).is_some()
}

#[tokio::test]
async fn a_webhook_has_a_say_in_what_its_rules_name_and_in_nothing_else() {
    let scoped = |scope: &str| {
        let mut rule = rule("*", "*", "*");
        rule["rules"][0]["scope"] = scope.into();
        rule
    };
    let events = |policy: &str| {
        let mut events = rule("CREATE", "events.k8s.io", "events");
        events["matchPolicy"] = policy.into();
        events
    };
    for (what, changes, name, expected) in [
        ("creation", rule("CREATE", "", "pods"), "create", true),
        ("creation is no change", rule("UPDATE", "", "pods"), "create", false),
        ("another group", rule("CREATE", "apps", "pods"), "create", false),
        ("another resource", rule("CREATE", "", "services"), "create", false),
        ("all resources", rule("CREATE", "*", "*"), "create", true),
        ("change", rule("UPDATE", "", "pods"), "change", true),
        ("change is no creation", rule("CREATE", "", "pods"), "change", false),
        ("deletion", rule("DELETE", "", "pods"), "delete", true),
        ("deletion is no creation", rule("CREATE", "", "pods"), "delete", false),
        ("an eviction is the creation of one", rule("CREATE", "", "pods/eviction"), "evict", true),
        ("an eviction is not put as a deletion", rule("DELETE", "*", "*/*"), "evict", false),
        ("an eviction is no new pod", rule("CREATE", "", "pods"), "evict", false),
        ("a binding", rule("CREATE", "", "pods/*"), "bind", true),
        ("a binding is no change of the pod", rule("UPDATE", "*", "*/*"), "bind", false),
        ("a status", rule("UPDATE", "", "*/status"), "status", true),
        ("a status is no change of the pod", rule("UPDATE", "", "pods"), "status", false),
        ("a scale", rule("UPDATE", "apps", "deployments/scale"), "scale", true),
        ("a scale is no change of the Deployment", rule("UPDATE", "apps", "deployments"), "scale", false),
        ("a token", rule("CREATE", "", "serviceaccounts/token"), "token", true),
        ("the same under another group", events("Equivalent"), "event", true),
        ("the same under another group, and exactly", events("Exact"), "event", false),
        ("of namespaces", scoped("Namespaced"), "create", true),
        ("of the cluster", scoped("Cluster"), "create", false),
        ("a node is of the cluster", scoped("Cluster"), "node", true),
        ("a namespace is of the cluster", scoped("Namespaced"), "namespace", false),
        ("what could not be mended otherwise", rule("*", "*", "*"), "itself", false),
    ] {
        assert_eq!(has_a_say(&changes, name).await, expected, "{what}");
    }
}

#[tokio::test]
async fn a_webhook_has_a_say_where_its_selectors_select_and_nowhere_else() {
    let with = |(operation, resource): (&str, &str), field: &str, selector: &Value| {
        let mut changes = rule(operation, "", resource);
        changes[field] = selector.clone();
        changes
    };
    let tier = |tier: &str| json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": [tier]}]});
    let label = |key: &str, value: &str| json!({"matchLabels": {key: value}});
    let without = json!({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]});
    let (there, objects) = ("namespaceSelector", "objectSelector");
    let (pods, namespaces, eviction) = (("*", "pods"), ("UPDATE", "namespaces"), ("CREATE", "pods/eviction"));
    for (what, changes, name, expected) in [
        ("in its namespace", with(pods, there, &tier("front")), "create", true),
        ("in another namespace", with(pods, there, &tier("system")), "create", false),
        ("in another namespace, deleted", with(pods, there, &tier("system")), "delete", false),
        ("a node is in all of them", with(("*", "nodes"), there, &tier("system")), "node", true),
        ("a namespace with the labels that are sent", with(namespaces, there, &tier("back")), "namespace", true),
        ("a namespace with the labels that are there", with(namespaces, there, &tier("front")), "namespace", false),
        ("with the labels", with(pods, objects, &label("app", "web")), "create", true),
        ("without the labels", with(pods, objects, &label("app", "db")), "create", false),
        ("with new labels", with(pods, objects, &label("a", "b")), "change", true),
        ("with neither", with(pods, objects, &without), "change", false),
        ("deleted with the labels", with(pods, objects, &label("app", "web")), "delete", true),
        ("an eviction has no labels", with(eviction, objects, &without), "evict", true),
        ("an eviction has not those of the pod", with(eviction, objects, &label("app", "web")), "evict", false),
    ] {
        assert_eq!(has_a_say(&changes, name).await, expected, "{what}");
    }
}

#[tokio::test]
async fn a_webhook_is_asked_when_the_real_server_asks_it() {
    let mut changes = rule("*", "", "pods");
    changes["rules"][0]["resources"] = json!(["pods", "pods/eviction", "pods/binding"]);
    let nobody = format!("{PODS}/nobody");
    let mut invalid = pod("new");
    invalid["spec"]["containers"] = json!([]);
    let mut stale = pod("there");
    stale["metadata"]["resourceVersion"] = json!("1");
    let evict = json!({"metadata": {"name": "nobody"}});
    let bind = json!({"metadata": {"name": "nobody"}, "target": {"kind": "Node", "name": "n1"}});
    for (what, method, path, body, [mutating, validating]) in [
        ("no such namespace", "POST", "/api/v1/namespaces/nowhere/pods".to_owned(), pod("new"), [404, 404]),
        ("not valid", "POST", PODS.to_owned(), invalid, [500, 422]),
        ("there already", "POST", PODS.to_owned(), pod("there"), [500, 500]),
        ("of an old version", "PUT", format!("{PODS}/there"), stale, [500, 409]),
        ("nobody to delete", "DELETE", nobody.clone(), json!({}), [404, 404]),
        ("nobody to evict", "POST", format!("{nobody}/eviction"), evict, [500, 500]),
        ("nobody to bind", "POST", format!("{nobody}/binding"), bind, [500, 500]),
    ] {
        for (hooks, expected) in [(MUTATING, mutating), (HOOKS, validating)] {
            let cluster = prepared().await;
            post(&cluster, hooks, &configuration(&changes)).await;
            let (status, answer, _) = send(&cluster, method, &path, JSON, &body.to_string()).await;
            assert_eq!(status, expected, "{what}, {hooks}: {answer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_says_which_webhook_refuses_its_pods_and_gets_them_when_it_is_back() {
    let cluster = Cluster::builder().start().unwrap();
    for name in ["shop", "policy"] {
        post(&cluster, "/api/v1/namespaces", &json!({"metadata": {"name": name}})).await;
    }
    let workload = |name: &str, replicas: u64| {
        let template = json!({"metadata": {"labels": {"app": name}}, "spec": pod("")["spec"]});
        let spec = json!({"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template});
        json!({"metadata": {"name": name}, "spec": spec})
    };
    let gate = "/apis/apps/v1/namespaces/policy/deployments";
    post(&cluster, gate, &workload("gate", 0)).await;
    let spec = json!({"selector": {"app": "gate"}, "ports": [{"port": 443, "targetPort": 8443}]});
    let service = json!({"metadata": {"name": "gate"}, "spec": spec});
    post(&cluster, "/api/v1/namespaces/policy/services", &service).await;
    let apart = json!({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["policy"]}]});
    post(&cluster, HOOKS, &configuration(&json!({"namespaceSelector": apart}))).await;
    let web = "/apis/apps/v1/namespaces/shop/deployments";
    post(&cluster, web, &workload("web", 2)).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let found = send(&cluster, "GET", &format!("{web}/web"), "", "").await.1;
    let conditions = found["status"]["conditions"].as_array().unwrap().iter();
    let failure: Vec<_> = conditions.filter(|condition| condition["type"] == "ReplicaFailure").collect();
    assert_eq!(failure[0]["reason"], "FailedCreate");
    let message = failure[0]["message"].as_str().unwrap();
    assert!(message.contains("no endpoints available for service \"gate\""), "{message}");
    let scale = json!({"spec": {"replicas": 1}}).to_string();
    send(&cluster, "PATCH", &format!("{gate}/gate/scale"), "application/merge-patch+json", &scale).await;
    // The controller tries again with a growing back-off.
    tokio::time::sleep(Duration::from_secs(600)).await;
    let found = send(&cluster, "GET", &format!("{web}/web"), "", "").await.1;
    assert_eq!(found["status"]["readyReplicas"], 2, "{found}");
}
