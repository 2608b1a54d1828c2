//! The manifests in `deploy/examples` are what they say: valid, complete, and accepted by an API server.

use std::path::PathBuf;

use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
};
use kubeheal::api;
use serde_json::Value;
use tinykube::Cluster;

/// Every document of every file, in the order in which `kubectl apply -f` takes them.
fn documents() -> Vec<(String, String)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/examples");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file).unwrap();
        text.split("\n---\n").map(|document| (name.clone(), document.to_owned())).collect::<Vec<_>>()
    };
    files.iter().flat_map(read).collect()
}

fn parse(document: &str) -> Value {
    serde_saphyr::from_str(document).unwrap()
}

#[test]
fn every_healed_service_passes_the_linter_and_its_workload_is_there() {
    let objects: Vec<(String, Value, String)> =
        documents().into_iter().map(|(file, text)| (file, parse(&text), text)).collect();
    let mut services = 0;
    for (file, object, text) in &objects {
        if object["kind"] != "HealedService" {
            continue;
        }
        services += 1;
        let document = api::lint(text).unwrap_or_else(|problems| panic!("{file}: {problems:?}"));
        let api::Document::HealedService(service) = document else { panic!("{file}: {document:?}") };
        let wanted = service.spec.workload_ref;
        let exists = objects.iter().any(|(_, other, _)| {
            other["kind"] == format!("{:?}", wanted.kind).as_str()
                && other["metadata"]["name"] == wanted.name.as_str()
                && other["metadata"]["namespace"] == object["metadata"]["namespace"]
        });
        assert!(exists, "{file}: {:?} {} is in no example", wanted.kind, wanted.name);
    }
    assert_eq!(services, 5);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_accepts_them_in_order() {
    let clock = tinykube::clock::Clock::starting_at("2026-11-23T00:00:00Z".parse().unwrap());
    let mut builder = Cluster::builder().clock(clock).without_controllers();
    for manifest in api::manifests().unwrap() {
        builder = builder.crd(parse(&manifest.content));
    }
    let cluster = builder.start().unwrap();
    for (file, text) in documents() {
        let object: DynamicObject = serde_json::from_value(parse(&text)).unwrap();
        let types = object.types.clone().unwrap();
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types).unwrap());
        let api: Api<DynamicObject> = match object.namespace() {
            Some(namespace) => Api::namespaced_with(cluster.client(), &namespace, &resource),
            None => Api::all_with(cluster.client(), &resource),
        };
        let created = api.create(&PostParams::default(), &object).await;
        assert!(created.is_ok(), "{file}: {} {}: {created:?}", types.kind, object.name_any());
    }
}
