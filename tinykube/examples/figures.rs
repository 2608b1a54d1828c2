//! Prints how fast and how large tinykube is: `cargo run --release -p tinykube --example figures`.
//!
//! Prints only; nothing here passes or fails.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark reads the real clock and may fail")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tinykube::{Cluster, api::Options, auth::Auth, clock::Clock};
use tokio::{net::TcpListener, runtime::Builder};

fn main() {
    a_virtual_day();
    ten_thousand_pods();
}

/// 50 Deployments of two pods with probes, 24 hours of virtual time.
fn a_virtual_day() {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let took = runtime.block_on(async {
        let cluster = cluster();
        deploy(&cluster, 50, 2);
        let begin = Instant::now();
        tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
        begin.elapsed()
    });
    println!("a virtual day of 50 services, 100 pods:   {:>8.2} s", took.as_secs_f64());
}

/// 10,000 running pods: memory, and a list of all of them over HTTP.
fn ten_thousand_pods() {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let cluster = runtime.block_on(async {
        let cluster = cluster();
        deploy(&cluster, 100, 100);
        tokio::time::sleep(Duration::from_secs(120)).await;
        cluster
    });
    println!("10,000 pods, resident memory:             {:>8.0} MiB", memory_mib("VmRSS:"));
    let threads = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (took, bytes) = threads.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = cluster.clone();
        tokio::spawn(async move { server.serve_http(listener, Auth::open()).await });
        let client = kube::Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let list = || http::Request::get("/api/v1/pods").body(Vec::new()).unwrap();
        client.request_text(list()).await.unwrap();
        let begin = Instant::now();
        let text = client.request_text(list()).await.unwrap();
        (begin.elapsed(), text.len())
    });
    println!("a list of them over HTTP ({:>3} MiB):        {:>8.2} s", bytes >> 20, took.as_secs_f64());
    println!("most memory at any time, with the client: {:>8.0} MiB", memory_mib("VmHWM:"));
}

fn cluster() -> Cluster {
    Cluster::builder().clock(Clock::starting_at("2026-01-05T08:00:00Z".parse().unwrap())).start().unwrap()
}

fn deploy(cluster: &Cluster, deployments: u32, replicas: u32) {
    let resource = cluster.api().resource("apps", "deployments").unwrap();
    for number in 0..deployments {
        let object = deployment(&format!("app-{number}"), replicas);
        cluster.api().create(&resource, "default", object, &Options::default()).unwrap();
    }
}

fn deployment(name: &str, replicas: u32) -> Value {
    let probe = json!({"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 5});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "app", "image": "app:1",
                    "readinessProbe": probe, "livenessProbe": probe, "startupProbe": probe,
                }]},
            },
        },
    })
}

/// Memory of this process, now (`VmRSS:`) or at most (`VmHWM:`).
fn memory_mib(measure: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(measure)).unwrap_or_default();
    let kib: f64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0.0);
    kib / 1024.0
}
