//! `healctl break`: makes a workload of a playground fail, in the ways that workloads do.
//!
//! Only tinykube can be told how to fail, and nobody wants this in a real cluster by mistake.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use kube::{
    Client, Config,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::DynamicObject,
};
use kubeheal::base::error_text::error_text;
use serde_json::{Value, json};
use tinykube::kubelet::SCRIPT_ANNOTATION;

use crate::{
    demo::hands::pods_of,
    failure::Failure,
    target::{Target, WORKLOADS},
};

/// An image that no registry has.
const NO_IMAGE: &str = "registry.example/does-not-exist:1";
/// A Secret that nobody made.
const NO_SECRET: &str = "does-not-exist";
/// Long enough for a health check to lose its patience.
const SLOW: &str = "5m";

/// Arguments of `healctl break`.
#[derive(Debug, clap::Args)]
pub(crate) struct Break {
    /// The workload, as KIND/NAME: deploy, sts, ds or pod
    workload: String,
    /// How it is to fail
    #[arg(long, value_enum)]
    how: How,
    /// Namespace of the workload [default: that of the kubeconfig]
    #[arg(long, short)]
    namespace: Option<String>,
    /// Kubeconfig of the playground [default: KUBECONFIG]
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
}

/// Ways to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// The running pods exit again and again, a second after each start
    Crash,
    /// The running pods exit again and again, as soon as they are started
    CrashAtOnce,
    /// The running pods answer no probe
    Hang,
    /// The running pods run out of memory again and again
    Oom,
    /// New pods need minutes to listen (changes the pod template)
    SlowStart,
    /// The running pods fail their readiness probe
    NotReady,
    /// The workload is deleted
    Remove,
    /// New pods have an image that cannot be pulled (changes the pod template)
    Image,
    /// New pods need a Secret that is not there (changes the pod template)
    Config,
}

impl Break {
    /// Breaks it and says what to watch.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let target: Target = self.workload.parse().map_err(Failure::input)?;
        if !target.is_workload() {
            let kinds = WORKLOADS.join(", ");
            return Err(Failure::input(format!("{target} runs no pods: name one of {kinds}")));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(format!("start a runtime: {error}")))?;
        let done = runtime.block_on(self.break_it(target))?;
        println!("{done}");
        println!("watch: kubectl get hsvc -w");
        Ok(())
    }

    async fn break_it(&self, target: Target) -> Result<String, Failure> {
        let config = config(self.kubeconfig.as_deref()).await?;
        let namespace = self.namespace.clone().or(target.namespace.clone());
        let target = Target { namespace: None, ..target };
        let target = target.within(&namespace.unwrap_or_else(|| config.default_namespace.clone()));
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config)
            .map_err(|error| Failure::new(format!("the kubeconfig cannot be used: {error}: check it")))?;
        only_tinykube(&client, &server).await?;
        match self.how {
            How::Crash => act(&client, &target, "crash").await,
            How::CrashAtOnce => act(&client, &target, "crash-at-once").await,
            How::Hang => act(&client, &target, "hang").await,
            How::Oom => act(&client, &target, "oom").await,
            How::NotReady => act(&client, &target, "not-ready").await,
            How::Remove => remove(&client, &target).await,
            How::SlowStart => {
                let script = format!("'*': {{listensAfter: {SLOW}}}");
                change(&client, &target, &format!("new pods need {SLOW} to listen"), |pod| slow(pod, &script)).await
            }
            How::Image => {
                change(&client, &target, &format!("new pods want the image {NO_IMAGE}"), |pod| {
                    set_each(pod, "image", &json!(NO_IMAGE))
                })
                .await
            }
            How::Config => {
                let from = json!([{"secretRef": {"name": NO_SECRET}}]);
                change(&client, &target, &format!("new pods need the Secret {NO_SECRET}, which is not there"), |pod| {
                    set_each(pod, "envFrom", &from)
                })
                .await
            }
        }
    }
}

async fn config(path: Option<&Path>) -> Result<Config, Failure> {
    let failed = |error: kube::config::KubeconfigError| {
        let hint = "name one with --kubeconfig or KUBECONFIG (healctl playground writes one)";
        Failure::new(format!("the kubeconfig cannot be read: {error}: {hint}"))
    };
    let kubeconfig = match path {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig.map_err(failed)?, &options).await.map_err(failed)?;
    config.default_retry = false;
    Ok(config)
}

async fn only_tinykube(client: &Client, server: &str) -> Result<(), Failure> {
    let version = client.apiserver_version().await.map_err(|error| {
        Failure::new(format!("ask {server} for its version: {}: is the playground running?", error_text(&error)))
    })?;
    if version.git_version.contains("tinykube") {
        return Ok(());
    }
    let found = version.git_version;
    Err(Failure::new(format!(
        "{server} is {found}, a real cluster: healctl break breaks tinykube only, see healctl playground"
    )))
}

/// Changes how the running pods behave. Pods that replace them are well.
async fn act(client: &Client, target: &Target, script: &str) -> Result<String, Failure> {
    let pods = pods_of(client, target).await.map_err(Failure::new)?;
    if pods.is_empty() {
        return Err(Failure::new(format!("{target} has no running pods: scale it up first")));
    }
    let patch = json!({"metadata": {"annotations": {SCRIPT_ANNOTATION: script}}});
    for pod in &pods {
        let patched = pod.api(client).patch(&pod.name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        patched.map_err(|error| Failure::new(format!("annotate {pod}: {}", error_text(&error))))?;
    }
    let names: Vec<_> = pods.iter().map(|pod| pod.name.as_str()).collect();
    Ok(format!("{target}: {script} from now on in {}; pods that replace them are well", names.join(", ")))
}

async fn remove(client: &Client, target: &Target) -> Result<String, Failure> {
    let deleted = target.api(client).delete(&target.name, &DeleteParams::background()).await;
    deleted.map_err(|error| Failure::new(format!("delete {target}: {}", error_text(&error))))?;
    Ok(format!("{target}: deleted"))
}

/// Changes what new pods look like.
async fn change(
    client: &Client,
    target: &Target,
    done: &str,
    edit: impl Fn(&mut Value) -> Option<()>,
) -> Result<String, Failure> {
    if target.kind == "Pod" {
        return Err(Failure::new(format!("{target} has no pod template: name the workload that makes such pods")));
    }
    let api = target.api(client);
    let failed = |error: kube::Error| Failure::new(format!("change {target}: {}", error_text(&error)));
    let mut object: DynamicObject = api.get(&target.name).await.map_err(failed)?;
    let template = object.data.pointer_mut("/spec/template");
    template.and_then(edit).ok_or_else(|| Failure::new(format!("change {target}: it has no containers")))?;
    api.replace(&target.name, &PostParams::default(), &object).await.map_err(failed)?;
    Ok(format!("{target}: {done}"))
}

fn slow(template: &mut Value, script: &str) -> Option<()> {
    let metadata = template.as_object_mut()?.entry("metadata").or_insert_with(|| json!({}));
    let annotations = metadata.as_object_mut()?.entry("annotations").or_insert_with(|| json!({}));
    annotations.as_object_mut()?.insert(SCRIPT_ANNOTATION.to_owned(), json!(script));
    Some(())
}

fn set_each(template: &mut Value, field: &str, value: &Value) -> Option<()> {
    for container in template.pointer_mut("/spec/containers")?.as_array_mut()? {
        container.as_object_mut()?.insert(field.to_owned(), value.clone());
    }
    Some(())
}
