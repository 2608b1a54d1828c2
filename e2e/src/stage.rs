//! Where one journey takes place: a namespace of its own, a controller for it, and somebody who writes down what happens.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clap::ValueEnum;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
    core::ObjectMeta,
};
use kubeheal::api::status::{HealedServiceStatus, HealthState};
use kubeheal_core::model::state::{CircuitState, Outcome};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::{
    child::Child,
    chronicle::Chronicle,
    failure::{Failure, Result},
    hands::{Hands, PATIENCE, name},
    workload::{self, Act},
};

/// For a controller to end after SIGTERM; its pod's grace is 30 s.
const ENDING: Duration = Duration::from_secs(30);

/// Who heals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Healer {
    /// A process of the build for each journey, which looks after the journey's namespace only
    Local,
    /// What is installed in the cluster
    InCluster,
}

/// What all stages have in common.
pub(crate) struct Theatre {
    /// As admin.
    pub(crate) client: Client,
    /// For controllers that are started.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Of all workloads.
    pub(crate) image: String,
    /// Who heals.
    pub(crate) healer: Healer,
    /// Where the controller in the cluster is.
    pub(crate) home: String,
    /// The namespace of the service account whose rights local controllers have.
    pub(crate) account_home: Option<String>,
    /// For logs.
    pub(crate) folder: PathBuf,
    /// Different in each run, in all namespaces.
    pub(crate) run: String,
}

/// Moments of a journey, counted from its begin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    /// Something was broken.
    pub(crate) broken: Option<Duration>,
    /// kubeheal said so.
    pub(crate) seen: Option<Duration>,
    /// kubeheal did something about it.
    pub(crate) acted: Option<Duration>,
    /// All was well again.
    pub(crate) well: Option<Duration>,
}

/// A namespace in which something happens.
pub(crate) struct Stage {
    pub(crate) theatre: Arc<Theatre>,
    pub(crate) namespace: String,
    pub(crate) hands: Hands,
    pub(crate) controllers: tokio::sync::Mutex<Vec<Child>>,
    chronicle: Chronicle,
    /// How far what each service said has been read.
    read: Mutex<BTreeMap<String, usize>>,
    began: Instant,
    marks: Mutex<Marks>,
    note: Mutex<Option<&'static str>>,
}

impl Stage {
    /// A fresh namespace with that many controllers, if they are ours to start.
    pub(crate) async fn open(theatre: Arc<Theatre>, journey: &str, controllers: u8) -> Result<Stage> {
        let namespace = format!("kubeheal-e2e-{}-{journey}", theatre.run);
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(theatre.client.clone());
        let labels = [("e2e.kubeheal.dev/run".to_owned(), theatre.run.clone())].into();
        let metadata = ObjectMeta { name: Some(namespace.clone()), labels: Some(labels), ..ObjectMeta::default() };
        let object = k8s_openapi::api::core::v1::Namespace { metadata, ..Default::default() };
        let created = namespaces.create(&PostParams::default(), &object).await;
        created.map_err(|error| Failure::api(format!("create namespace {namespace}"), &error))?;
        let stage = Stage {
            hands: Hands::new(theatre.client.clone(), &namespace),
            chronicle: Chronicle::begin(theatre.client.clone(), &namespace),
            namespace,
            controllers: tokio::sync::Mutex::default(),
            read: Mutex::default(),
            began: Instant::now(),
            marks: Mutex::default(),
            note: Mutex::default(),
            theatre,
        };
        if stage.theatre.healer == Healer::Local {
            for number in 0..controllers {
                stage.start_controller(number, controllers > 1).await?;
            }
        }
        Ok(stage)
    }

    async fn start_controller(&self, number: u8, elected: bool) -> Result<()> {
        let log = self.theatre.folder.join(format!("{}-{number}.log", self.namespace));
        let mut arguments = vec!["--namespace", &self.namespace, "--addr", "127.0.0.1:0", "--log-format", "text"];
        let identity = identity(number);
        if elected {
            arguments.extend(["--lease-namespace", self.lease_namespace(), "--identity", &identity]);
        } else {
            arguments.push("--no-leader-election");
        }
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let child = Child::start("kubeheal", &arguments, self.theatre.kubeconfig.as_deref(), &log)?;
        self.controllers.lock().await.push(child);
        Ok(())
    }

    /// Where the controllers keep the leader's Lease.
    pub(crate) fn lease_namespace(&self) -> &str {
        match self.theatre.healer {
            Healer::Local => self.theatre.account_home.as_ref().unwrap_or(&self.namespace),
            Healer::InCluster => &self.theatre.home,
        }
    }

    /// Tells our controllers to end, as a kubelet does; each must end well.
    pub(crate) async fn stop_controllers(&self) -> Result<()> {
        for mut controller in self.controllers.lock().await.drain(..) {
            let ended = controller.stop(ENDING).await?;
            if !ended.success() {
                return Err(Failure::new(format!("the controller ended with {ended} after SIGTERM")));
            }
        }
        Ok(())
    }

    /// Removes the namespace and all in it, and waits until it is gone.
    pub(crate) async fn close(&self) -> Result<()> {
        self.controllers.lock().await.clear();
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.theatre.client.clone());
        let removed = namespaces.delete(&self.namespace, &DeleteParams::background()).await;
        removed.map_err(|error| Failure::api(format!("remove namespace {}", self.namespace), &error))?;
        let gone = kube::runtime::wait::await_condition(
            namespaces,
            &self.namespace,
            |found: Option<&k8s_openapi::api::core::v1::Namespace>| found.is_none(),
        );
        let waited = timeout(PATIENCE, gone).await;
        waited.map(drop).map_err(|_| Failure::new(format!("namespace {} does not end", self.namespace)))
    }

    /// What our controllers said.
    pub(crate) async fn logs(&self) -> Vec<PathBuf> {
        self.controllers.lock().await.iter().map(|controller| controller.log().to_owned()).collect()
    }

    /// A workload that is healthy, and kept, under a HealedService of its name.
    pub(crate) async fn well(&self, name: &str, replicas: u32, needs: Option<&str>, spec: Value) -> Result<()> {
        self.hands.create(workload::deployment(name, &self.theatre.image, replicas, needs)).await?;
        self.hands.create(workload::healed(name, &spec)).await?;
        self.until_well(name).await
    }

    /// Waits until a service is healthy and could be created again.
    pub(crate) async fn until_well(&self, name: &str) -> Result<()> {
        let kept = |status: &HealedServiceStatus| is(HealthState::Healthy)(status) && status.last_known_good.is_some();
        self.until(name, "healthy, and its definition kept", kept).await.map(drop)
    }

    /// Tells one pod how to behave.
    pub(crate) async fn act(&self, pod: &Value, act: Act) -> Result<()> {
        self.hands.patch("Pod", name(pod), act.patch()).await
    }

    /// Tells all pods of an app that run now. Pods that replace them are well.
    pub(crate) async fn act_all(&self, app: &str, act: Act) -> Result<()> {
        for pod in self.hands.pods(app).await? {
            self.act(&pod, act).await?;
        }
        Ok(())
    }

    /// Scales a Deployment.
    pub(crate) async fn scale(&self, name: &str, replicas: u32) -> Result<()> {
        self.hands.patch("Deployment", name, json!({"spec": {"replicas": replicas}})).await
    }

    /// The next status of a service, after the one that was waited for last, that is as wanted.
    pub(crate) async fn until(
        &self,
        service: &str,
        what: &str,
        wanted: impl Fn(&HealedServiceStatus) -> bool + Sync,
    ) -> Result<HealedServiceStatus> {
        let from = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(service).copied().unwrap_or(0);
        match timeout(PATIENCE, self.chronicle.first(service, from, &wanted)).await {
            Ok(Some((number, status))) => {
                self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(service.to_owned(), number);
                Ok(status)
            }
            Ok(None) => Err(Failure::new(format!("{service}: nobody watches any more"))),
            Err(_) => {
                let last = self.chronicle.last(service).map(|status| json!(status));
                let seen = last.map_or_else(|| "nothing was said".to_owned(), |last| format!("{last:#}"));
                Err(Failure::new(format!("{service} is not {what} after {} s: {seen}", PATIENCE.as_secs())))
            }
        }
    }

    /// How long it is since the journey began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The moments so far.
    pub(crate) fn marks(&self) -> Marks {
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to know of how it went, for the table.
    pub(crate) fn note(&self, note: &'static str) {
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
    }

    /// What was noted last.
    pub(crate) fn noted(&self) -> Option<&'static str> {
        *self.note.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was broken just now.
    pub(crate) fn broke(&self) {
        self.mark(|marks| &mut marks.broken);
    }

    /// kubeheal said so just now.
    pub(crate) fn saw(&self) {
        self.mark(|marks| &mut marks.seen);
    }

    /// kubeheal did something about it just now.
    pub(crate) fn did(&self) {
        self.mark(|marks| &mut marks.acted);
    }

    /// All is well again.
    pub(crate) fn healed(&self) {
        self.mark(|marks| &mut marks.well);
    }

    fn mark(&self, which: impl Fn(&mut Marks) -> &mut Option<Duration>) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        *which(&mut marks) = Some(self.elapsed());
    }
}

/// The name of a controller of ours in the Lease.
pub(crate) fn identity(number: u8) -> String {
    format!("controller-{number}")
}

/// Health in one word.
pub(crate) fn is(health: HealthState) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| status.health == Some(health)
}

/// Something that is wrong, by its cause.
pub(crate) fn finds(cause: &'static str) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| status.findings.iter().any(|finding| finding.cause == cause)
}

/// Nothing is done, for this reason.
pub(crate) fn is_blocked(reason: &'static str) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| status.blocked_by.iter().any(|block| block.reason == reason)
}

/// The circuit breaker.
pub(crate) fn circuit(state: CircuitState) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| status.circuit.as_ref().is_some_and(|circuit| circuit.state == state)
}

/// A condition, as status and reason.
pub(crate) fn condition<'a>(status: &'a HealedServiceStatus, kind: &str) -> Option<(&'a str, &'a str)> {
    let found = status.conditions.iter().find(|condition| condition.type_ == kind)?;
    Some((found.status.as_str(), found.reason.as_str()))
}

/// What was done to the workload, oldest first.
pub(crate) fn steps(status: &HealedServiceStatus) -> Vec<&str> {
    let is_step = |step: &&str| step.parse::<kubeheal_core::model::plan::Step>().is_ok();
    status.history.iter().map(|entry| entry.step.as_str()).filter(is_step).collect()
}

/// A step that has proved that it helped.
pub(crate) fn verified(step: &'static str) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| status.history.iter().any(|entry| entry.step == step && entry.outcome == Outcome::Verified)
}
