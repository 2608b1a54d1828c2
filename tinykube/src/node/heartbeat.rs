//! The node itself: its object, its status, and the Lease by which others see that it lives.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::kind::Kind;
use super::write::{MANAGER, PATIENCE};
use super::{NodeError, problem};
use crate::clock::Clock;
use crate::kubelet::Host;
use crate::object;
use crate::workloads::LOST_ANNOTATION;

const LEASE_NAMESPACE: &str = "kube-node-lease";
const RENEWAL: Duration = Duration::from_secs(10);
/// How soon a renewal that failed is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// How often the status is written though nothing changed.
const REPORT: Duration = Duration::from_mins(5);

/// Whether the kubelet of a node is to act as if it were lost.
pub(super) fn is_lost(node: &Value) -> bool {
    object::annotation(node, LOST_ANNOTATION) == Some("true")
}

/// Keeps a node alive in the eyes of the cluster.
pub(super) struct Heartbeat {
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) host: Host,
}

impl Heartbeat {
    /// Creates the node, or takes over the one that is there; as it is then.
    pub(super) async fn register(&self) -> Result<Arc<Value>, NodeError> {
        let doing = || format!("register node {}", self.host.name);
        let registered = timeout(PATIENCE, self.create()).await;
        let node =
            registered.map_err(|_| NodeError::silent(doing()))?.map_err(|error| NodeError::new(doing(), &error))?;
        let reported = timeout(PATIENCE, self.report(&node)).await;
        let doing = || format!("write the status of node {}", self.host.name);
        let node =
            reported.map_err(|_| NodeError::silent(doing()))?.map_err(|error| NodeError::new(doing(), &error))?;
        Ok(Arc::new(node))
    }

    /// Renews the Lease and reports the status until dropped. `own` is the node as the cluster has it.
    pub(super) async fn run(&self, mut own: watch::Receiver<Option<Arc<Value>>>) {
        let (mut renewed, mut reported, mut well) = (None::<Instant>, Instant::now(), true);
        loop {
            let node = own.borrow_and_update().clone();
            let lost = node.as_deref().is_some_and(is_lost);
            let mut wait = RENEWAL;
            if !lost {
                let overdue = reported.elapsed() >= REPORT;
                let beat = timeout(PATIENCE, self.beat(node.as_deref(), &mut renewed, overdue)).await;
                if matches!(beat, Ok(Ok(true))) {
                    reported = Instant::now();
                }
                let trouble = match beat {
                    Ok(Ok(_)) => None,
                    Ok(Err(error)) => Some(problem(&error)),
                    Err(_) => Some("the API server does not answer".to_owned()),
                };
                if trouble.is_some() {
                    wait = RETRY;
                }
                self.tell(&mut well, trouble.as_deref());
                // A renewal that went well says when the next one is due.
                let due = renewed.map(|renewed| RENEWAL.saturating_sub(renewed.elapsed()));
                wait = due.filter(|due| !due.is_zero()).map_or(wait, |due| wait.min(due));
            }
            tokio::select! {
                biased;
                changed = own.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Says when the node cannot report any more, and when it can again.
    fn tell(&self, well: &mut bool, trouble: Option<&str>) {
        let before = std::mem::replace(well, trouble.is_none());
        match trouble {
            Some(problem) if before => tracing::warn!(node = self.host.name, problem, "the node cannot report"),
            None if !before => tracing::info!(node = self.host.name, "the node reports again"),
            _ => {}
        }
    }

    /// What is due now: the node if it is gone, the Lease, the status. Whether the status was written.
    async fn beat(
        &self,
        node: Option<&Value>,
        renewed: &mut Option<Instant>,
        overdue: bool,
    ) -> Result<bool, kube::Error> {
        let created;
        let node = if let Some(node) = node {
            node
        } else {
            created = self.create().await?;
            &created
        };
        if renewed.is_none_or(|renewed| renewed.elapsed() >= RENEWAL) {
            self.renew(node).await?;
            *renewed = Some(Instant::now());
        }
        if self.host.is_reported(node) && !overdue {
            return Ok(false);
        }
        self.report(node).await?;
        Ok(true)
    }

    async fn create(&self) -> Result<Value, kube::Error> {
        let nodes: Api<DynamicObject> = Api::all_with(self.client.clone(), &Kind::nodes().api);
        let node = self.host.node();
        let object = serde_json::from_value(node.clone()).map_err(kube::Error::SerdeError)?;
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let created = match nodes.create(&params, &object).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let labels = json!({"metadata": {"labels": node["metadata"]["labels"]}});
                nodes.patch(&self.host.name, &manager(), &Patch::Merge(labels)).await?
            }
            other => other?,
        };
        serde_json::to_value(created).map_err(kube::Error::SerdeError)
    }

    async fn report(&self, node: &Value) -> Result<Value, kube::Error> {
        let nodes: Api<DynamicObject> = Api::all_with(self.client.clone(), &Kind::nodes().api);
        let status = json!({"status": self.host.status(node, &self.clock.seconds())});
        let reported = nodes.patch_status(&self.host.name, &manager(), &Patch::Strategic(status)).await?;
        serde_json::to_value(reported).map_err(kube::Error::SerdeError)
    }

    async fn renew(&self, node: &Value) -> Result<(), kube::Error> {
        let leases: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), LEASE_NAMESPACE, &Kind::leases().api);
        let name = &self.host.name;
        let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": name, "uid": object::uid(node)}]);
        let spec = json!({"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": self.clock.micros()});
        let renewal = json!({"metadata": {"ownerReferences": owner}, "spec": spec});
        match leases.patch(name, &manager(), &Patch::Merge(&renewal)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            other => return other.map(|_| ()),
        }
        let mut lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}});
        lease["metadata"]["ownerReferences"] = owner;
        lease["spec"] = spec;
        let lease = serde_json::from_value(lease).map_err(kube::Error::SerdeError)?;
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        leases.create(&params, &lease).await.map(|_| ())
    }
}

fn manager() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}
