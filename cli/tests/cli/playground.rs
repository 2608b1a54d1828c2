//! `healctl playground` and `healctl break`, over HTTPS and in real time.

use kubeheal_core::model::state::Outcome;
use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

use kube::{
    Api, Client, Config,
    api::{ListParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use kubeheal::api::{HealedService, status::HealthState};
use tokio::time::{Instant, sleep};

use crate::run::{file, healctl, repository, run};

/// A playground that ends with the test.
struct Playground {
    child: Child,
    kubeconfig: String,
    greeting: String,
    _directory: tempfile::TempDir,
}

impl Playground {
    fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let kubeconfig = directory.path().join("config").to_str().unwrap().to_owned();
        let mut child = healctl()
            .args(["playground", "--kubeconfig", &kubeconfig])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            greeting.push_str(&line);
            greeting.push('\n');
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        Self { child, kubeconfig, greeting, _directory: directory }
    }

    async fn client(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Client::try_from(config).unwrap()
    }

    fn breaks(&self, workload: &str, how: &str) -> crate::run::Ran {
        run(&["break", workload, "--how", how, "--kubeconfig", &self.kubeconfig])
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn workload(name: &str) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "app", "image": "registry.example/app:1",
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1},
                }]},
            },
        },
    })
}

/// With times short enough to watch.
fn service(name: &str) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "kubeheal.dev/v1alpha1", "kind": "HealedService", "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "workloadRef": {"kind": "Deployment", "name": name},
            "health": {"notReadySeconds": 2},
            "remediation": {
                "verifySeconds": 20, "stabilizationSeconds": 2, "backoff": {"initialSeconds": 1, "maxSeconds": 2},
            },
        },
    })
}

async fn create(client: &Client, object: serde_json::Value) {
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let types = object.types.clone().unwrap();
    let gvk = GroupVersionKind::try_from(&types).unwrap();
    let api: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &ApiResource::from_gvk(&gvk));
    api.create(&PostParams::default(), &object).await.unwrap();
}

async fn until(client: &Client, name: &str, what: &str, holds: impl Fn(&HealedService) -> bool) -> HealedService {
    let services: Api<HealedService> = Api::default_namespaced(client.clone());
    let begun = Instant::now();
    loop {
        let service = services.get(name).await.unwrap();
        if holds(&service) {
            return service;
        }
        assert!(begun.elapsed() < Duration::from_secs(50), "{name} is not {what}: {:#?}", service.status);
        sleep(Duration::from_millis(200)).await;
    }
}

fn is_healthy(service: &HealedService) -> bool {
    service.status.as_ref().is_some_and(|status| status.health == Some(HealthState::Healthy))
}

fn has_verified(service: &HealedService, step: &str) -> bool {
    let history = service.status.iter().flat_map(|status| &status.history);
    history.clone().any(|entry| entry.step == step && entry.outcome == Outcome::Verified)
}

#[tokio::test]
async fn what_is_broken_in_a_playground_is_healed() {
    let playground = Playground::start(&[]);
    let client = playground.client().await;
    for name in ["api", "web", "cart"] {
        create(&client, workload(name)).await;
        create(&client, service(name)).await;
    }
    for name in ["api", "web", "cart"] {
        let kept = |service: &HealedService| {
            is_healthy(service) && service.status.as_ref().is_some_and(|status| status.last_known_good.is_some())
        };
        until(&client, name, "healthy", kept).await;
    }

    let broken = playground.breaks("deploy/api", "not-ready");
    assert_eq!(broken.code, 0, "{}", broken.err);
    assert!(broken.out.contains("Deployment/default/api") && broken.out.contains("kubectl get hsvc"), "{}", broken.out);
    let removed = playground.breaks("deployment/web", "remove");
    assert_eq!(removed.code, 0, "{}", removed.err);
    let unpullable = playground.breaks("deploy/cart", "image");
    assert_eq!(unpullable.code, 0, "{}", unpullable.err);

    until(&client, "api", "healed", |one| is_healthy(one) && has_verified(one, "RestartPod")).await;
    until(&client, "web", "recreated", |one| is_healthy(one) && has_verified(one, "RecreateWorkload")).await;
    let cart = until(&client, "cart", "diagnosed", |one| {
        one.status.iter().flat_map(|status| &status.findings).any(|finding| finding.cause == "ImagePull")
    })
    .await;
    assert!(!has_verified(&cart, "RestartPod"), "a restart does not pull an image");
}

#[tokio::test]
async fn each_way_to_break_changes_what_it_says() {
    let playground = Playground::start(&["--no-controller"]);
    assert!(playground.greeting.contains("without kubeheal"), "{}", playground.greeting);
    let client = playground.client().await;
    let pods: Api<DynamicObject> =
        Api::default_namespaced_with(client.clone(), &ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod")));
    let deployments = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"));
    let deployments: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &deployments);
    create(&client, workload("api")).await;
    let begun = Instant::now();
    while pods.list(&ListParams::default()).await.unwrap().items.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(100)).await;
    }
    for how in ["crash", "hang", "oom", "not-ready"] {
        assert_eq!(playground.breaks("deploy/api", how).code, 0);
        let pod = pods.list(&ListParams::default()).await.unwrap().items.remove(0);
        assert_eq!(pod.metadata.annotations.unwrap()["tinykube.dev/script"], how);
    }
    for (how, pointer, expected) in [
        ("slow-start", "/spec/template/metadata/annotations/tinykube.dev~1script", "'*': {listensAfter: 5m}"),
        ("image", "/spec/template/spec/containers/0/image", "registry.example/does-not-exist:1"),
        ("config", "/spec/template/spec/containers/0/envFrom/0/secretRef/name", "does-not-exist"),
    ] {
        let ran = playground.breaks("deploy/api", how);
        assert_eq!(ran.code, 0, "{how}: {}", ran.err);
        let changed = deployments.get("api").await.unwrap();
        assert_eq!(changed.data.pointer(pointer).and_then(|value| value.as_str()), Some(expected), "{how}");
    }
    assert_eq!(playground.breaks("deploy/api", "remove").code, 0);
    assert!(deployments.get_opt("api").await.unwrap().is_none());
}

#[tokio::test]
async fn what_cannot_be_broken_is_told_in_one_line() {
    let playground = Playground::start(&["--no-controller"]);
    playground.breaks("deploy/nobody", "crash").fails(1, "nobody");
    playground.breaks("deploy/nobody", "remove").fails(1, "nobody");
    playground.breaks("deploy/nobody", "image").fails(1, "nobody");
    playground.breaks("widget/api", "crash").fails(2, "no kind known");
    playground.breaks("svc/api", "crash").fails(2, "runs no pods");
    let bare = playground.breaks("pod/api", "image");
    bare.fails(1, "no pod template");
    run(&["break", "deploy/api", "--how", "crash", "--kubeconfig", "no-such-file"]).fails(1, "no-such-file");

    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = std::fs::read_to_string(&playground.kubeconfig).unwrap();
    let nobody = file(&directory, "nobody", &kubeconfig.replace("https://127.0.0.1:", "https://127.0.0.1:1#"));
    let ran = run(&["break", "deploy/api", "--how", "crash", "--kubeconfig", &nobody]);
    assert_eq!((ran.code, ran.err.lines().count()), (1, 1), "{}", ran.err);
}

#[tokio::test]
async fn with_a_token_file_only_its_users_and_the_kubeconfigs_are_let_in() {
    let directory = tempfile::tempdir().unwrap();
    let users = file(&directory, "users.csv", "s3cret,ci,1,\"system:masters\"\nweak,guest,2,\"guests\"\n");
    let playground = Playground::start(&["--no-controller", "--token-auth-file", &users]);
    create(&playground.client().await, workload("api")).await;
    let kubeconfig = std::fs::read_to_string(&playground.kubeconfig).unwrap();
    let own = kubeconfig.split("token: \"").nth(1).unwrap().split('"').next().unwrap();
    for (token, allowed) in [("s3cret", true), ("weak", false), ("guessed", false)] {
        let path = file(&directory, token, &kubeconfig.replace(own, token));
        let config = Kubeconfig::read_from(&path).unwrap();
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        let services: Api<HealedService> = Api::default_namespaced(Client::try_from(config).unwrap());
        assert_eq!(services.list(&ListParams::default()).await.is_ok(), allowed, "{token}");
    }
}

#[tokio::test]
async fn who_comes_without_a_token_may_do_nothing() {
    let playground = Playground::start(&["--no-controller"]);
    let mut kubeconfig = Kubeconfig::read_from(&playground.kubeconfig).unwrap();
    kubeconfig.auth_infos[0].auth_info.as_mut().unwrap().token = None;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let services: Api<HealedService> = Api::default_namespaced(Client::try_from(config).unwrap());
    let refused = services.list(&ListParams::default()).await.unwrap_err();
    assert!(refused.to_string().contains("User \"system:anonymous\" cannot list"), "{refused}");
}

#[tokio::test]
async fn a_real_cluster_is_left_alone() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = asked.clone();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            seen.lock().unwrap().push(String::from_utf8_lossy(&request[..length]).lines().next().unwrap().to_owned());
            let body = r#"{"major":"1","minor":"36","gitVersion":"v1.36.0","gitCommit":"","gitTreeState":"","buildDate":"","goVersion":"","compiler":"","platform":""}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
         clusters: [{{name: a, cluster: {{server: \"http://{address}\"}}}}]\nusers: [{{name: a, user: {{}}}}]\n"
    );
    let path = file(&directory, "config", &kubeconfig);
    let ran =
        tokio::task::spawn_blocking(move || run(&["break", "deploy/api", "--how", "remove", "--kubeconfig", &path]));
    ran.await.unwrap().fails(1, "breaks tinykube only");
    assert_eq!(*asked.lock().unwrap(), ["GET /version HTTP/1.1"], "nothing but the version was asked");
}

#[tokio::test]
async fn a_playground_says_what_to_do_and_ends_at_once() {
    let mut playground = Playground::start(&[]);
    for text in
        ["export KUBECONFIG=", "kubectl apply -f deploy/examples/", "kubectl get hsvc -w", "healctl break deploy/api"]
    {
        assert!(playground.greeting.contains(text), "{text}: {}", playground.greeting);
    }
    let kubeconfig = std::fs::read_to_string(&playground.kubeconfig).unwrap();
    assert!(kubeconfig.contains("server: \"https://127.0.0.1:"), "{kubeconfig}");
    let port = kubeconfig.split("127.0.0.1:").nth(1).unwrap().split('"').next().unwrap();
    run(&["playground", "--port", port]).fails(1, port);
    run(&["playground", "--kubeconfig", "/no/such/place/config"]).fails(1, "/no/such/place/config");
    run(&["playground", "--token-auth-file", "no-such-file"]).fails(1, "no-such-file");
    let directory = tempfile::tempdir().unwrap();
    let users = file(&directory, "users.csv", "s3cret,ci,1\ns3cret\n");
    run(&["playground", "--token-auth-file", &users])
        .fails(1, "users.csv: cannot be used: line 2: expected token,user,uid");
    let mode = std::fs::metadata(&playground.kubeconfig).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds a token");

    let pid = playground.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    for _ in 0..30 {
        if let Some(status) = playground.child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("it still runs three seconds after SIGTERM");
}

/// kubectl as the admin of a playground, or as whom the arguments say.
struct Kubectl<'a>(&'a Playground);

impl Kubectl<'_> {
    fn run(&self, arguments: &[&str]) -> crate::run::Ran {
        let kubectl = std::env::var_os("KUBEHEAL_KUBECTL");
        let kubectl =
            kubectl.expect("KUBEHEAL_KUBECTL names no kubectl: set it to a path, or run `make tests`, which gets one");
        let cache = std::path::Path::new(&self.0.kubeconfig).with_file_name("cache");
        let mut command = Command::new(kubectl);
        crate::run::Ran::of(command.arg("--cache-dir").arg(cache).args(arguments).env("KUBECONFIG", &self.0.kubeconfig))
    }

    /// What it prints when it succeeds.
    fn says(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        ran.out
    }
}

#[tokio::test]
async fn a_real_kubectl_can_use_a_playground() {
    let playground = Playground::start(&[]);
    let kubectl = Kubectl(&playground);
    let examples = repository().join("deploy/examples");
    kubectl.says(&["apply", "-f", examples.to_str().unwrap()]);
    let directory = tempfile::tempdir().unwrap();
    for (name, object) in [("workload.json", workload("quick")), ("service.json", service("quick"))] {
        kubectl.says(&["apply", "-f", &file(&directory, name, &object.to_string())]);
    }
    kubectl.says(&["wait", "--for=condition=Ready", "hsvc/quick", "--timeout=30s"]);
    assert_eq!(playground.breaks("deploy/quick", "not-ready").code, 0);
    let client = playground.client().await;
    until(&client, "quick", "healed", |one| is_healthy(one) && has_verified(one, "RestartPod")).await;
    let listed = kubectl.says(&["get", "hsvc", "-A"]);
    assert!(listed.contains("quick") && listed.contains("Closed"), "{listed}");
    let explained = kubectl.says(&["explain", "hsvc.spec.mode"]);
    assert!(explained.contains("HealedService") && explained.contains("Observe"), "{explained}");
    // The playground's script rides on a pod: the workload itself was never touched.
    assert!(!kubectl.says(&["get", "deploy", "quick", "-o", "json"]).contains("tinykube.dev/script"));
}

#[tokio::test]
async fn a_real_kubectl_is_who_its_token_says() {
    let directory = tempfile::tempdir().unwrap();
    let users = file(&directory, "users.csv", "s3cret,ci,1,\"system:masters\"\nweak,guest,2,\"guests\"\n");
    let playground = Playground::start(&["--no-controller", "--token-auth-file", &users]);
    let kubectl = Kubectl(&playground);
    kubectl.says(&["get", "hsvc"]);
    kubectl.says(&["get", "hsvc", "--token", "s3cret"]);
    kubectl.run(&["get", "hsvc", "--token", "weak"]).fails(1, "User \"guest\" cannot list resource \"healedservices\"");
    kubectl.run(&["get", "hsvc", "--token", "guessed"]).fails(1, "You must be logged in to the server");
    kubectl.says(&["config", "set-credentials", "nobody", "--username=me", "--password=secret"]);
    kubectl.run(&["get", "hsvc", "--user", "nobody"]).fails(1, "User \"system:anonymous\" cannot list resource");
}
