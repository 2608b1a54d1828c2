//! What is told about bodies that say too much, and objects that come by unusual ways.

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tinykube::Cluster;
use tower::ServiceExt;

pub(crate) async fn send(
    cluster: &Cluster,
    method: &str,
    path: &str,
    kind: &str,
    body: &str,
) -> (u16, Value, Vec<String>) {
    let request = http::Request::builder().method(method).uri(path).header("content-type", kind);
    let request = request.body(Full::<bytes::Bytes>::from(body.to_owned())).unwrap();
    let response = cluster.service().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let warnings = response.headers().get_all("warning").iter();
    let warnings = warnings.map(|value| value.to_str().unwrap().to_owned()).collect();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default(), warnings)
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn cluster() -> Cluster {
    Cluster::builder().without_controllers().start().unwrap()
}

#[tokio::test]
async fn duplicate_fields_are_warned_about_or_refused() {
    let cluster = cluster();
    let body = r#"{"metadata": {"name": "a"}, "data": {"k": "1", "k": "2"}}"#;
    let strict = format!("{MAPS}?fieldValidation=Strict");
    let (status, refused, _) = send(&cluster, "POST", &strict, "application/json", body).await;
    assert_eq!(status, 400);
    assert!(refused["message"].as_str().unwrap().contains("duplicate field \"data.k\""), "{refused}");
    let (status, made, warnings) = send(&cluster, "POST", MAPS, "application/json", body).await;
    assert_eq!((status, &made["data"]["k"]), (201, &json!("2")));
    assert_eq!(warnings, ["299 - \"duplicate field \\\"data.k\\\"\""]);
}

#[tokio::test]
async fn yaml_is_read_and_so_are_protocol_buffers_of_some_kinds() {
    let cluster = cluster();
    let yaml = "metadata: {name: document}\ndata: {k: v}\n";
    let (status, made, _) = send(&cluster, "POST", MAPS, "application/yaml", yaml).await;
    assert_eq!((status, &made["data"]["k"]), (201, &json!("v")));
    let protobuf = "application/vnd.kubernetes.protobuf";
    // Type {v1, ConfigMap}, then metadata {name: p} and one entry of data.
    let map = "k8s\0\n\x0f\n\x02v1\x12\tConfigMap\x12\r\n\x03\n\x01p\x12\x06\n\x01k\x12\x01v";
    let (status, made, _) = send(&cluster, "POST", MAPS, protobuf, map).await;
    assert_eq!((status, &made["metadata"]["name"], &made["data"]), (201, &json!("p"), &json!({"k": "v"})), "{made}");
    for broken in ["k8s\0", "k8s\0\n\x7f", &map[..20]] {
        assert_eq!(send(&cluster, "POST", MAPS, protobuf, broken).await.0, 415);
    }
}

#[tokio::test]
async fn what_protocol_buffers_hold_is_kept_whole_or_not_taken() {
    let cluster = cluster();
    let (protobuf, path) = ("application/vnd.kubernetes.protobuf", "/api/v1/namespaces/default/status");
    let (_, before, _) = send(&cluster, "GET", "/api/v1/namespaces/default", "application/json", "").await;
    // Type {v1, Namespace}, then metadata {name: default} and status {phase: Gone}.
    let namespace = "k8s\0\n\x0f\n\x02v1\x12\tNamespace\x12\x13\n\x09\n\x07default\x1a\x06\n\x04Gone";
    let (status, refused, _) = send(&cluster, "PUT", path, protobuf, namespace).await;
    assert_eq!((status, &refused["reason"]), (415, &json!("UnsupportedMediaType")), "{refused}");
    // A map with a field of the number 5, which nobody knows, be it zero.
    let map = "k8s\0\n\x0f\n\x02v1\x12\tConfigMap\x12\x07\n\x03\n\x01p\x28\0";
    assert_eq!(send(&cluster, "POST", MAPS, protobuf, map).await.0, 415);
    let (_, after, _) = send(&cluster, "GET", "/api/v1/namespaces/default", "application/json", "").await;
    assert_eq!(before["status"], after["status"]);
}

#[tokio::test]
async fn values_of_the_wrong_type_are_refused() {
    let cluster = cluster();
    let deployment = |replicas: Value, cpu: Value| {
        json!({
            "metadata": {"name": "d"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"a": "d"}},
                "template": {
                    "metadata": {"labels": {"a": "d"}},
                    "spec": {"containers": [{
                        "name": "c",
                        "image": "i",
                        "ports": [{"containerPort": 80}],
                        "readinessProbe": {"httpGet": {"port": "http"}},
                        "resources": {"limits": {"cpu": cpu, "memory": "1Gi"}},
                    }]},
                },
            },
        })
        .to_string()
    };
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let wrong = deployment(json!("two"), json!("1"));
    let (status, refused, _) = send(&cluster, "POST", path, "application/json", &wrong).await;
    assert_eq!(status, 400);
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas"), "{message}");
    let right = deployment(json!(2), json!(1));
    let (status, made, warnings) = send(&cluster, "POST", path, "application/json", &right).await;
    assert_eq!((status, warnings), (201, Vec::new()), "{made}");
}

#[tokio::test]
async fn a_definition_that_is_taken_away_takes_its_objects_along() {
    let cluster = Cluster::builder()
        .without_controllers()
        .crd(json!({
            "metadata": {"name": "bells.test.dev"},
            "spec": {
                "group": "test.dev",
                "scope": "Namespaced",
                "names": {"plural": "bells", "kind": "Bell"},
                "versions": [
                    {"name": "v1beta1", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "object"}}},
                    {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}},
                ],
            },
        }))
        .start()
        .unwrap();
    let path = "/apis/test.dev/v1/namespaces/default/bells";
    let bell = json!({"apiVersion": "test.dev/v1", "kind": "Bell", "metadata": {"name": "b"}}).to_string();
    assert_eq!(send(&cluster, "POST", path, "application/json", &bell).await.0, 201);
    let beta = path.replace("v1", "v1beta1");
    let (_, list, _) = send(&cluster, "GET", &beta, "", "").await;
    assert_eq!(list["items"][0]["apiVersion"], "test.dev/v1beta1");
    let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bells.test.dev";
    assert_eq!(send(&cluster, "DELETE", definition, "", "").await.0, 200);
    // The bells go first.
    for gone in [path, definition] {
        let end = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
        while send(&cluster, "GET", gone, "", "").await.0 != 404 {
            assert!(tokio::time::Instant::now() < end, "{gone} is still there");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

#[test]
fn a_definition_that_is_wrong_is_refused_at_the_start() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let started = runtime.block_on(async { Cluster::builder().crd(json!({"metadata": {"name": "x"}})).start() });
    assert_eq!(started.unwrap_err().code, 422);
}

#[tokio::test]
async fn requests_nobody_can_mean_are_refused_and_change_nothing() {
    let cluster = cluster();
    let map = r#"{"metadata": {"name": "a"}, "data": {"k": "1"}}"#;
    assert_eq!(send(&cluster, "POST", MAPS, "application/json", map).await.0, 201);
    let one = |query: &str| format!("{MAPS}/a?{query}");
    let all = |query: &str| format!("{MAPS}?{query}");
    let (json, merge, strategic) =
        ("application/json", "application/merge-patch+json", "application/strategic-merge-patch+json");
    let operations = "application/json-patch+json";
    for (method, path, kind, body, code, says) in [
        ("POST", all(""), json, "[1]", 400, "cannot unmarshal array into Go value of type struct"),
        ("POST", all(""), json, "", 400, "unexpected end of JSON input"),
        ("POST", all(""), "text/plain", map, 415, "unknown format"),
        ("POST", all("fieldValidation=Perhaps"), json, map, 422, "fieldValidation: Unsupported value: \"Perhaps\""),
        ("POST", all("dryRun=Some"), json, map, 422, "dryRun: Unsupported value"),
        ("PATCH", one(""), merge, "[1]", 400, "cannot unmarshal array into Go value of type map[string]interface {}"),
        (
            "PATCH",
            one(""),
            strategic,
            "5",
            400,
            "cannot unmarshal number into Go value of type map[string]interface {}",
        ),
        (
            "PATCH",
            one(""),
            operations,
            "{}",
            400,
            "cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        ("PATCH", one("fieldManager=me"), "application/apply-patch+yaml", "[1]", 400, "error decoding YAML"),
        (
            "DELETE",
            one("propagationPolicy=Perhaps"),
            json,
            "",
            422,
            "propagationPolicy: Unsupported value: \"Perhaps\"",
        ),
        ("DELETE", one("gracePeriodSeconds=x"), json, "", 400, "strconv.ParseInt: parsing \"x\": invalid syntax"),
        ("GET", all("limit=x"), json, "", 400, "strconv.ParseInt: parsing \"x\": invalid syntax"),
        ("GET", all("watch=1&timeoutSeconds=x"), json, "", 400, "strconv.ParseInt"),
        ("DELETE", "/api/v1/namespaces".to_owned(), json, "", 405, "does not allow this method"),
        ("GET", "/apis/batch/v1/cronjobs".to_owned(), json, "", 501, "does not implement cronjobs.batch"),
        ("POST", "/api/v1/namespaces/default/pods/p/exec".to_owned(), json, "{}", 501, "exec"),
    ] {
        let (status, said, _) = send(&cluster, method, &path, kind, body).await;
        assert_eq!(status, code, "{method} {path} {body}: {said}");
        assert!(said["message"].as_str().unwrap().contains(says), "{method} {path} {body}: {said}");
    }
    assert_eq!(send(&cluster, "POST", "/api", json, "{}").await.0, 405);
    let (_, kept, _) = send(&cluster, "GET", &one(""), json, "").await;
    assert_eq!(kept["data"], json!({"k": "1"}));
}

#[tokio::test]
async fn a_service_sent_without_its_address_keeps_it() {
    let cluster = cluster();
    let services = "/api/v1/namespaces/default/services";
    let service = |app: &str| {
        let spec = json!({"selector": {"app": app}, "ports": [{"port": 80}]});
        json!({"metadata": {"name": "web"}, "spec": spec}).to_string()
    };
    let (_, made, _) = send(&cluster, "POST", services, "application/json", &service("a")).await;
    let (status, put, _) = send(&cluster, "PUT", &format!("{services}/web"), "application/json", &service("b")).await;
    assert_eq!((status, &put["spec"]["selector"]["app"]), (200, &json!("b")));
    assert_eq!(put["spec"]["clusterIP"], made["spec"]["clusterIP"]);
}

#[tokio::test(start_paused = true)]
async fn a_running_pod_is_labelled_and_applied_without_a_word_about_what_the_kubelet_wrote() {
    let cluster = Cluster::builder().start().unwrap();
    let resources = json!({"limits": {"cpu": "1", "memory": "64Mi"}});
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "c:1", "resources": resources}]},
    });
    let pods = "/api/v1/namespaces/default/pods";
    assert_eq!(send(&cluster, "POST", pods, "application/json", &pod.to_string()).await.0, 201);
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    let path = format!("{pods}/p?fieldValidation=Strict&fieldManager=me");
    let (_, running, _) = send(&cluster, "GET", &path, "application/json", "").await;
    assert_eq!(running["status"]["phase"], "Running");
    assert!(running["status"]["resources"].is_object(), "{running}");
    assert!(running["status"]["containerStatuses"][0]["allocatedResources"].is_object(), "{running}");
    let label = r#"{"metadata": {"labels": {"a": "b"}}}"#;
    for kind in ["application/merge-patch+json", "application/strategic-merge-patch+json"] {
        let (status, said, warnings) = send(&cluster, "PATCH", &path, kind, label).await;
        assert_eq!((status, warnings.len()), (200, 0), "{said} {warnings:?}");
    }
    let (status, said, warnings) =
        send(&cluster, "PATCH", &path, "application/apply-patch+yaml", &pod.to_string()).await;
    assert_eq!((status, warnings.len()), (200, 0), "{said} {warnings:?}");
    let (_, whole, _) = send(&cluster, "GET", &path, "application/json", "").await;
    let (status, said, warnings) = send(&cluster, "PUT", &path, "application/json", &whole.to_string()).await;
    assert_eq!((status, warnings.len()), (200, 0), "{said} {warnings:?}");
}

#[tokio::test]
async fn what_may_not_change_does_not() {
    let cluster = cluster();
    let namespace = "/api/v1/namespaces/default";
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
    let role = json!({"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"}, "subjects": []});
    for (path, object, change, says) in [
        (
            format!("{namespace}/configmaps"),
            json!({"metadata": {"name": "b"}, "immutable": true, "data": {"k": "1"}}),
            r#"{"data": {"k": "2"}}"#,
            "field is immutable when `immutable` is set",
        ),
        (
            format!("{namespace}/services"),
            json!({"metadata": {"name": "b"}, "spec": {"ports": [{"port": 80}]}}),
            r#"{"spec": {"clusterIP": "10.96.7.7"}}"#,
            "may not change once set",
        ),
        (rbac.to_owned(), role, r#"{"roleRef": {"name": "other"}}"#, "cannot change roleRef"),
    ] {
        assert_eq!(send(&cluster, "POST", &path, "application/json", &object.to_string()).await.0, 201, "{path}");
        let one = format!("{path}/b");
        let (status, said, _) = send(&cluster, "PATCH", &one, "application/merge-patch+json", change).await;
        assert_eq!(status, 422, "{path}: {said}");
        assert!(said["message"].as_str().unwrap().contains(says), "{said}");
    }
    let (status, said, _) = send(&cluster, "DELETE", namespace, "application/json", "").await;
    assert_eq!(
        (status, &said["message"]),
        (403, &json!("namespaces \"default\" is forbidden: this namespace may not be deleted"))
    );
    let pod = r#"{"metadata": {"name": "p"}, "spec": {"serviceAccountName": "none", "containers": [{"name": "c", "image": "c"}]}}"#;
    let (status, said, _) = send(&cluster, "POST", &format!("{namespace}/pods"), "application/json", pod).await;
    assert_eq!(status, 403);
    assert!(said["message"].as_str().unwrap().ends_with("serviceaccount \"none\" not found"), "{said}");
}

#[tokio::test]
async fn two_services_do_not_share_an_address_or_a_port() {
    let cluster = cluster();
    let services = "/api/v1/namespaces/default/services";
    let service = |name: &str, spec: Value| json!({"metadata": {"name": name}, "spec": spec}).to_string();
    let node = json!({"type": "NodePort", "clusterIP": "10.96.9.9", "ports": [{"port": 80, "nodePort": 30080}]});
    assert_eq!(send(&cluster, "POST", services, "application/json", &service("a", node)).await.0, 201);
    let address = json!({"clusterIP": "10.96.9.9", "ports": [{"port": 80}]});
    let port = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]});
    for (name, spec) in [("b", address), ("c", port)] {
        let (status, said, _) = send(&cluster, "POST", services, "application/json", &service(name, spec)).await;
        assert_eq!(status, 422, "{said}");
        assert!(said["message"].as_str().unwrap().ends_with("already allocated"), "{said}");
    }
    for index in 0..20 {
        let spec = json!({"type": "NodePort", "ports": [{"port": 80}]});
        let (status, made, _) =
            send(&cluster, "POST", services, "application/json", &service(&format!("n{index}"), spec)).await;
        assert_eq!(status, 201, "{made}");
        assert!(made["spec"]["ports"][0]["nodePort"].as_i64().unwrap() >= 30_000);
    }
}
