//! What is special about a kind: how it is counted, shown and owned.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tinykube::Cluster;
use tinykube::clock::Clock;
use tower::ServiceExt;

use crate::strict::send;

const JSON: &str = "application/json";

fn cluster() -> Cluster {
    let clock = Clock::starting_at("2026-11-23T00:00:00Z".parse().unwrap());
    Cluster::builder().clock(clock).seed(7).start().unwrap()
}

async fn post(cluster: &Cluster, path: &str, object: &Value) -> Value {
    let (status, made, _) = send(cluster, "POST", path, JSON, &object.to_string()).await;
    assert_eq!(status, 201, "{made}");
    made
}

/// What is there, as a table of what is told of objects.
async fn table(cluster: &Cluster, path: &str) -> Value {
    let request = http::Request::builder().uri(path).header("accept", "application/json;as=Table;g=meta.k8s.io;v=v1");
    let request = request.body(Full::<bytes::Bytes>::default()).unwrap();
    let response = cluster.service().oneshot(request).await.unwrap();
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_let_in_is_counted_at_once_and_nothing_else_is() {
    let cluster = cluster();
    let quotas = "/api/v1/namespaces/default/resourcequotas";
    let (maps, one) = ("/api/v1/namespaces/default/configmaps", format!("{quotas}/few"));
    let map = |name: &str| json!({"metadata": {"name": name}});
    post(&cluster, quotas, &json!({"metadata": {"name": "few"}, "spec": {"hard": {"configmaps": "3", "pods": "9"}}}))
        .await;
    // Nobody has counted yet, and admission does not do it.
    post(&cluster, maps, &map("early")).await;
    assert_eq!(send(&cluster, "GET", &one, "", "").await.1["status"], json!({}));
    assert_eq!(send(&cluster, "DELETE", &format!("{maps}/early"), "", "").await.0, 200);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = || async { send(&cluster, "GET", &one, "", "").await.1["status"]["used"]["configmaps"].clone() };
    // One is the root certificate's.
    assert_eq!(used().await, "1");
    post(&cluster, &format!("{maps}?dryRun=All"), &map("tried")).await;
    assert_eq!(used().await, "1");
    post(&cluster, maps, &map("a")).await;
    assert_eq!(used().await, "2");
    assert_eq!(send(&cluster, "POST", maps, JSON, &map("a").to_string()).await.0, 409);
    assert_eq!(used().await, "2");
    post(&cluster, maps, &map("b")).await;
    assert_eq!(send(&cluster, "POST", maps, JSON, &map("c").to_string()).await.0, 403);
    assert_eq!(used().await, "3");
    let writers = |quota: &Value| -> Vec<String> {
        let entries = quota["metadata"]["managedFields"].as_array().unwrap().iter();
        let used = |entry: &Value| entry["fieldsV1"]["f:status"]["f:used"]["f:configmaps"].is_object();
        entries.filter(|entry| used(entry)).map(|entry| entry["manager"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(writers(&send(&cluster, "GET", &one, "", "").await.1), ["kube-apiserver"]);
    // What is gone is counted by the controller.
    assert_eq!(send(&cluster, "DELETE", &format!("{maps}/a"), "", "").await.0, 200);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(used().await, "2");
    assert_eq!(writers(&send(&cluster, "GET", &one, "", "").await.1), ["kube-controller-manager"]);
}

#[tokio::test(start_paused = true)]
async fn the_data_of_a_revision_is_owned_as_a_whole_and_that_of_a_map_by_its_keys() {
    let cluster = cluster();
    for (path, object, owned) in [
        (
            "/apis/apps/v1/namespaces/default/controllerrevisions",
            json!({"metadata": {"name": "r"}, "revision": 1, "data": {"a": 1}}),
            json!({}),
        ),
        (
            "/api/v1/namespaces/default/configmaps",
            json!({"metadata": {"name": "m"}, "data": {"a": "1"}}),
            json!({".": {}, "f:a": {}}),
        ),
    ] {
        let made = post(&cluster, path, &object).await;
        assert_eq!(made["metadata"]["managedFields"][0]["fieldsV1"]["f:data"], owned, "{made}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scale_is_a_table_too() {
    let cluster = cluster();
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let spec = json!({"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template});
    post(&cluster, deployments, &json!({"metadata": {"name": "d"}, "spec": spec})).await;
    let definition = json!({
        "metadata": {"name": "bells.test.dev"},
        "spec": {
            "group": "test.dev", "scope": "Namespaced", "names": {"plural": "bells", "kind": "Bell"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                "subresources": {"scale": {"specReplicasPath": ".spec.rings", "statusReplicasPath": ".status.rings"}},
            }],
        },
    });
    post(&cluster, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await;
    let bells = "/apis/test.dev/v1/namespaces/default/bells";
    let bell = json!({"apiVersion": "test.dev/v1", "kind": "Bell", "metadata": {"name": "b"}, "spec": {"rings": 3}});
    post(&cluster, bells, &bell).await;
    for (path, cells) in [
        (format!("{deployments}/d/scale"), json!(["d", 2, 0, "0s"])),
        (format!("{bells}/b/scale"), json!(["b", 3, 0, "0s"])),
    ] {
        let shown = table(&cluster, &path).await;
        let names: Vec<_> =
            shown["columnDefinitions"].as_array().unwrap().iter().map(|column| &column["name"]).collect();
        assert_eq!(names, ["Name", "Desired", "Available", "Age"]);
        assert_eq!(shown["rows"][0]["cells"], cells, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_pod_with_scheduling_gates_says_so() {
    let cluster = cluster();
    let pods = "/api/v1/namespaces/default/pods";
    let spec =
        json!({"schedulingGates": [{"name": "example.com/quota"}], "containers": [{"name": "c", "image": "c:1"}]});
    post(&cluster, pods, &json!({"metadata": {"name": "p"}, "spec": spec})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let shown = table(&cluster, pods).await;
    assert_eq!(shown["rows"][0]["cells"][2], "SchedulingGated", "{shown}");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_change_a_pod_is_shown_what_would_have_changed() {
    let cluster = cluster();
    let pods = "/api/v1/namespaces/default/pods";
    let spec = json!({
        "schedulerName": "nobody",
        "automountServiceAccountToken": false,
        "nodeSelector": {"zone": "a"},
        "containers": [{"name": "c", "image": "i:1", "command": ["run"]}],
    });
    post(&cluster, pods, &json!({"metadata": {"name": "p"}, "spec": spec})).await;
    let change = |spec: Value| {
        let cluster = &cluster;
        async move {
            let kind = "application/strategic-merge-patch+json";
            send(cluster, "PATCH", &format!("{pods}/p"), kind, &json!({"spec": spec}).to_string()).await
        }
    };
    for (spec, shown) in [
        (
            json!({"hostNetwork": true}),
            "   \"SecurityContext\": {\n-  \"HostNetwork\": false,\n+  \"HostNetwork\": true,\n   \"HostPID\": false,\n",
        ),
        (
            json!({"nodeSelector": {"disk": "<big>"}}),
            "  \"NodeSelector\": {\n+  \"disk\": \"\\u003cbig\\u003e\",\n   \"zone\": \"a\"\n",
        ),
        (
            json!({"containers": [{"name": "c", "image": "i:2", "command": ["walk"]}]}),
            "    \"Image\": \"i:1\",\n    \"Command\": [\n-    \"run\"\n+    \"walk\"\n    ],\n",
        ),
    ] {
        let (status, refused, _) = change(spec).await;
        let message = refused["message"].as_str().unwrap();
        assert_eq!(status, 422);
        let shown = shown.trim_start();
        assert!(message.contains("previously negative)\n@@ -") && message.contains(shown), "{message}");
        assert!(!message.contains("i:2"), "what may change is not shown: {message}");
    }
    assert_eq!(change(json!({"containers": [{"name": "c", "image": "i:2"}]})).await.0, 200);
}

/// As a real 1.36 does it: zero is no field of a `Scale`, and of replicas that are nobody's no later scale is recorded.
#[tokio::test(start_paused = true)]
async fn who_scales_owns_the_replicas_unless_there_are_none_to_be() {
    let cluster = cluster();
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let spec = json!({"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template});
    post(&cluster, &format!("{deployments}?fieldManager=maker"), &json!({"metadata": {"name": "d"}, "spec": spec}))
        .await;
    let scaled =
        [("/scale", 3, "scaler"), ("/scale", 0, ""), ("/scale", 1, ""), ("", 0, "me"), ("/scale", 2, "scaler")];
    for (part, replicas, owner) in scaled {
        let manager = if part.is_empty() { "me" } else { "scaler" };
        let path = format!("{deployments}/d{part}?fieldManager={manager}");
        let body = json!({"spec": {"replicas": replicas}}).to_string();
        let (code, answer, _) = send(&cluster, "PATCH", &path, "application/merge-patch+json", &body).await;
        assert_eq!(code, 200, "{answer}");
        let (_, object, _) = send(&cluster, "GET", &format!("{deployments}/d"), "", "").await;
        let owns = |entry: &&Value| entry["fieldsV1"]["f:spec"]["f:replicas"].is_object();
        let owners: Vec<&str> = object["metadata"]["managedFields"]
            .as_array()
            .unwrap()
            .iter()
            .filter(owns)
            .map(|entry| entry["manager"].as_str().unwrap())
            .collect();
        assert_eq!(
            (object["spec"]["replicas"].as_i64(), owners.join(",")),
            (Some(replicas), owner.to_owned()),
            "{part}"
        );
    }
}
