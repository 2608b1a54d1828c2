//! The controller as a process of its own, on a cluster behind a socket.

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tinykube::{Cluster, auth::Auth};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use crate::support::world::{deployment, service};

/// For anything, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

const WORKLOAD: (&str, &str, &str) = ("apps", "v1", "Deployment");
const SERVICE: (&str, &str, &str) = ("kubeheal.dev", "v1alpha1", "HealedService");

/// A running controller, and what it has said so far.
pub(super) struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    /// As JSON.
    pub(super) said: Vec<Value>,
    _home: TempDir,
    cluster: Cluster,
}

impl Program {
    /// With this environment and no other, and one service to look after, `default/api`, of which there is something to say.
    pub(super) async fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let builder = Cluster::builder();
        let cluster = kubeheal::api::crds().into_iter().fold(builder, tinykube::cluster::Builder::crd).start().unwrap();
        let service = service("api", json!({"dependsOn": [{"name": "nobody"}]}));
        for (kind, object) in [(WORKLOAD, deployment("api", 1)), (SERVICE, service)] {
            api(&cluster, kind).create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        }
        let home = tempfile::tempdir().unwrap();
        let kubeconfig = home.path().join("kubeconfig");
        std::fs::write(&kubeconfig, kubeconfig_of(&serve(&cluster).await)).unwrap();
        let mut child = command(arguments, environment, &kubeconfig).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines, said: Vec::new(), _home: home, cluster }
    }

    /// Reads what it says until a line is as wanted, and returns that.
    pub(super) async fn says(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        timeout(PATIENCE, async {
            loop {
                let line =
                    self.lines.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended: {:#?}", self.said));
                let line = read(&line);
                self.said.push(line.clone());
                if wanted(&line) {
                    return line;
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("it does not say that: {:#?}", self.said))
    }

    /// Tells it to end as a kubelet does, and reads the rest.
    pub(super) async fn stop(&mut self) -> ExitStatus {
        let id = self.child.id().expect("it runs").to_string();
        Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        timeout(PATIENCE, async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.said.push(read(&line));
            }
            self.child.wait().await.unwrap()
        })
        .await
        .expect("it ends")
    }

    /// Gives it a reason to look again.
    pub(super) async fn change_service(&self) {
        let patch = Patch::Merge(json!({"spec": {"dependsOn": []}}));
        api(&self.cluster, SERVICE).patch("api", &PatchParams::default(), &patch).await.unwrap();
    }

    /// The messages it has said that have `part`.
    pub(super) fn messages(&self, part: &str) -> Vec<&str> {
        self.said.iter().filter_map(message).filter(|message| message.contains(part)).collect()
    }
}

/// A line; a panic, for example, is no JSON.
fn read(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|_| Value::String(line.to_owned()))
}

pub(super) fn message(line: &Value) -> Option<&str> {
    line["message"].as_str()
}

fn command(arguments: &[&str], environment: &[(&str, &str)], kubeconfig: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubeheal"));
    command.args(["--addr=127.0.0.1:0", "--no-leader-election", "--log-format=json", "--identity=replica-0"]);
    command.args(arguments).env_clear().env("KUBECONFIG", kubeconfig).envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

fn api(cluster: &Cluster, (group, version, kind): (&str, &str, &str)) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(cluster.client(), "default", &resource)
}

/// The cluster's address.
async fn serve(cluster: &Cluster) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = cluster.clone();
    tokio::spawn(async move { serving.serve_http(listener, Auth::open()).await });
    address
}

fn kubeconfig_of(server: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server}}],
        "users": [{"name": "test", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "default"}}],
    })
    .to_string()
}
