//! `kubeheal wait`: returns when a service is available and stable, and says why it is not.

use std::time::Duration;

use kube::{
    Api,
    api::{Patch, PatchParams},
};
use kubeheal::{
    api::HealedService,
    base::Key,
    ops::{clock::Clock, wait::until_stable},
};
use serde_json::{Value, json};
use tinykube::{Cluster, auth::Auth};
use tokio::{
    net::TcpListener,
    process::Command,
    time::{Instant, timeout},
};

use crate::support::world::{World, deployment, service};

/// Longest time that the program may take.
const LIMIT: Duration = Duration::from_secs(60);

fn clock(world: &World) -> Clock {
    world.clock()
}

fn key(name: &str) -> Key {
    ("default".to_owned(), name.to_owned())
}

#[tokio::test(start_paused = true)]
async fn it_returns_when_the_service_has_been_available_for_a_minute() {
    let world = World::new();
    world.create(deployment("db", 1)).await;
    world.create(service("db", json!({}))).await;
    let begun = Instant::now();
    let mut said = Vec::new();
    let waited =
        until_stable(world.client.clone(), clock(&world), &key("db"), None, |why| said.push(why.to_owned())).await;
    assert_eq!(waited, Ok(()));
    assert!(begun.elapsed() >= Duration::from_secs(60) && begun.elapsed() < Duration::from_secs(90));
    assert!(said.last().unwrap().contains("available, but not yet for 1m"), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_in_time_and_says_why() {
    let world = World::new();
    let minute = Some(Duration::from_secs(60));
    let nobody = until_stable(world.client.clone(), clock(&world), &key("nobody"), minute, |_| ()).await;
    assert_eq!(nobody.unwrap_err(), "there is no HealedService default/nobody");
    let mut broken = deployment("db", 1);
    broken["metadata"]["annotations"] = json!({"tinykube.dev/script": "crash"});
    world.create(broken).await;
    world.create(service("db", json!({}))).await;
    let begun = Instant::now();
    let sick = until_stable(world.client.clone(), clock(&world), &key("db"), minute, |_| ()).await.unwrap_err();
    assert!(sick.starts_with("default/db is not available (") && sick.contains("0 of 1 pods ready"), "{sick}");
    assert!(begun.elapsed() >= Duration::from_secs(60) && begun.elapsed() < Duration::from_secs(70));
}

/// A cluster that is served, with a service of that status, and where its kubeconfig is.
async fn served(status: Value) -> (Cluster, tempfile::TempDir) {
    let builder = kubeheal::api::crds().into_iter().fold(Cluster::builder(), tinykube::cluster::Builder::crd);
    let cluster = builder.without_controllers().start().unwrap();
    let services: Api<HealedService> = Api::namespaced(cluster.client(), "default");
    let object = serde_json::from_value(service("db", json!({}))).unwrap();
    services.create(&kube::api::PostParams::default(), &object).await.unwrap();
    let patch = Patch::Merge(json!({ "status": status }));
    services.patch_status("db", &PatchParams::default(), &patch).await.unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let serving = cluster.clone();
    tokio::spawn(async move { serving.serve_http(listener, Auth::open()).await });
    let folder = tempfile::tempdir().unwrap();
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server}}],
        "users": [{"name": "test", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "default"}}],
    });
    std::fs::write(folder.path().join("config"), config.to_string()).unwrap();
    (cluster, folder)
}

#[tokio::test]
async fn the_program_ends_with_what_scripts_need_to_know() {
    let healthy = json!({"health": "Healthy", "memory": {"health": {"healthySince": "2026-01-05T08:00:00Z"}}});
    let ready = json!({
        "type": "Ready", "status": "False", "reason": "CrashLoop", "message": "0 of 1 pods ready",
        "lastTransitionTime": "2026-01-05T08:00:00Z",
    });
    let sick = json!({"health": "Unhealthy", "conditions": [ready]});
    let available = |status: &str, words: &str| {
        json!({
            "type": "Available", "status": status, "reason": "AsExpected", "message": words,
            "lastTransitionTime": "2026-01-05T08:00:00Z",
        })
    };
    let degraded =
        json!({"health": "Degraded", "conditions": [ready, available("True", "19 of 20 pods ready, 1 needed")]});
    let unseen = json!({"health": "Unknown", "conditions": [ready, available("Unknown", "the watch is behind")]});
    let table: [(&Value, &[&str], i32, &str); 7] = [
        (&healthy, &["db"], 0, ""),
        (
            &sick,
            &["db", "--timeout", "0s"],
            1,
            "not in time: default/db is not available (Unhealthy): 0 of 1 pods ready",
        ),
        (&degraded, &["db"], 0, ""),
        (&unseen, &["db", "--timeout", "0s"], 1, "default/db is not available (Unknown): the watch is behind"),
        (&sick, &["db", "--namespace", "data", "--timeout", "0s"], 1, "there is no HealedService data/db"),
        (&sick, &["db", "--timeout", "soon"], 2, "soon"),
        (&sick, &[], 2, "NAME"),
    ];
    for (status, arguments, code, words) in table {
        let (_cluster, folder) = served(status.clone()).await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubeheal"));
        command.arg("wait").args(arguments).env_clear().env("KUBECONFIG", folder.path().join("config"));
        let ended = timeout(LIMIT, command.kill_on_drop(true).output()).await.expect("it ends").unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words) && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}
