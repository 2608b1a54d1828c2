//! The control plane: the controllers of a Kubernetes cluster and its one node, as one deterministic task.
//!
//! Changes of the store flow into a view; what they touch is queued; controllers work the queue off in a fixed
//! order until nothing is left; then the task sleeps until the next change or the earliest timer. Every controller sees
//! one object at a time and never looks through all of them. Nothing here serves requests.

mod context;
mod daemonset;
mod deployment;
mod deployment_sets;
mod disruption;
mod endpoints;
mod gc;
mod job;
mod namespace;
mod node;
mod placement;
mod pods;
mod queue;
mod quota;
mod recorder;
mod replicaset;
mod revision;
mod rollout;
mod routing;
mod scheduler;
mod selector;
mod statefulset;
mod template;
mod token;
mod view;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub(crate) use self::context::{Context, NODE, NODE_IP};
pub(crate) use self::node::LOST_ANNOTATION;
pub(crate) use self::placement::is_selected;
pub(crate) use self::pods::is_ready as pod_is_ready;
pub(crate) use self::queue::{Controller, Queue, Work};
pub(crate) use self::selector::map_selects;
pub(crate) use self::view::{Key, View};

use self::context::Kinds;
use crate::api::{Api, Status};
use crate::kubelet::{Kubelet, Logs};
use crate::storage::{Change, ChangeKind};

/// How many rounds are worked before others get their turn.
const ROUNDS: usize = 1000;

/// Controllers, scheduler, node and kubelet of one cluster.
#[derive(Debug)]
pub struct ControlPlane {
    api: Api,
    logs: Logs,
    node: bool,
}

impl ControlPlane {
    /// The control plane of the cluster behind `api`.
    pub fn new(api: Api) -> ControlPlane {
        let logs = Logs::new(api.clock().clone());
        ControlPlane { api, logs, node: true }
    }

    /// Nodes come from outside: none is registered, and no pod is acted out here.
    #[must_use]
    pub fn without_node(mut self) -> ControlPlane {
        self.node = false;
        self
    }

    /// Where the logs of containers can be read while it runs.
    pub fn logs(&self) -> Logs {
        self.logs.clone()
    }

    /// Runs until cancelled.
    pub async fn run(self, cancelled: CancellationToken) {
        let Some(kinds) = Kinds::find(&self.api) else {
            tracing::error!("the control plane cannot run: the API server does not serve the built-in kinds");
            return;
        };
        let mut latest = self.api.store().subscribe();
        let mut jumps = self.api.clock().jumps();
        let mut running = Running::new(self.api, kinds, Kubelet::new(&self.logs, self.node));
        loop {
            latest.mark_unchanged();
            let next = running.settle();
            let now = running.context.api.clock().now();
            if next <= now {
                tokio::task::yield_now().await;
                if cancelled.is_cancelled() {
                    return;
                }
                continue;
            }
            let sleep = std::time::Duration::try_from(next.duration_since(now)).unwrap_or_default();
            tokio::select! {
                () = cancelled.cancelled() => return,
                changed = latest.changed() => if changed.is_err() { return },
                jumped = jumps.changed() => if jumped.is_err() { return },
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }
}

struct Running {
    context: Context,
    queue: Queue,
    kubelet: Kubelet,
    /// Changes up to this resource version are taken in.
    seen: u64,
}

impl Running {
    fn new(api: Api, kinds: Kinds, kubelet: Kubelet) -> Running {
        let mut running = Running { context: Context::new(api, kinds), queue: Queue::default(), kubelet, seen: 0 };
        running.relist();
        if running.kubelet.has_node() {
            running.queue.add(Work::new(Controller::Node, running.context.node_key()));
        }
        running
    }

    /// Works until nothing is left to do now; the moment of the earliest timer.
    fn settle(&mut self) -> Timestamp {
        for _ in 0..ROUNDS {
            self.take_in_changes();
            let now = self.context.api.clock().now();
            let round = self.queue.take(now);
            if round.is_empty() {
                return self.queue.next_timer();
            }
            for work in round {
                self.work(work, now);
            }
        }
        Timestamp::MIN
    }

    fn take_in_changes(&mut self) {
        match self.context.api.store().changes_since(self.seen) {
            Ok(changes) => {
                for change in changes {
                    self.take_in(&change);
                }
            }
            Err(_) => self.relist(),
        }
    }

    fn take_in(&mut self, change: &Change) {
        self.seen = change.rv;
        self.context.view.apply(change);
        routing::route(change, &mut self.context, &mut self.kubelet, &mut self.queue);
    }

    /// Takes in everything as if it had just been created: after the start, or when history was lost.
    fn relist(&mut self) {
        let resources = self.context.api.registry().all();
        self.seen = self.context.api.store().rv();
        self.context.view = View::default();
        for resource in resources {
            for object in self.context.api.store().list(&resource, "") {
                let change = Change {
                    rv: self.seen,
                    kind: ChangeKind::Added,
                    resource: resource.clone(),
                    object,
                    previous: None,
                };
                self.take_in(&change);
            }
        }
    }

    fn work(&mut self, work: Work, now: Timestamp) {
        let (context, key) = (&mut self.context, &work.key);
        context.now = now;
        let done = match work.controller {
            Controller::Namespace => namespace::reconcile(context, key),
            Controller::Gc => gc::reconcile(context, key),
            Controller::Deployment => deployment::reconcile(context, key),
            Controller::ReplicaSet => replicaset::reconcile(context, key),
            Controller::StatefulSet => statefulset::reconcile(context, key),
            Controller::DaemonSet => daemonset::reconcile(context, key),
            Controller::Job => job::reconcile(context, key),
            Controller::Scheduler => scheduler::reconcile(context, key),
            Controller::Node => node::reconcile(context, &mut self.kubelet, &mut self.queue, key),
            Controller::Pod => self.kubelet.reconcile(context, key),
            Controller::Disruption => disruption::reconcile(context, key),
            Controller::Endpoints => endpoints::reconcile(context, key),
            Controller::Quota => quota::reconcile(context, key),
            Controller::Token => token::reconcile(context, key),
            Controller::EventTtl => expire_event(context, key),
        };
        match done {
            Ok(Some(next)) => self.queue.at(next, work),
            Ok(None) => self.queue.no_timer(&work),
            Err(status) => {
                tracing::debug!(?work, problem = %status.message, "to be tried again");
                self.queue.retry(now, work);
            }
        }
    }
}

/// What a controller's turn brings: when it wants another one, or why it could not do its work.
pub(crate) type Turn = Result<Option<Timestamp>, Status>;

fn expire_event(context: &mut Context, key: &Key) -> Turn {
    let Some(event) = context.view.get_key(key) else { return Ok(None) };
    // What counts is when it was written, whatever time it speaks of.
    let times = ["/lastTimestamp", "/metadata/creationTimestamp"];
    let times = times.iter().filter_map(|pointer| crate::object::text(&event, pointer).parse::<Timestamp>().ok());
    let written = times.max().unwrap_or(context.now);
    let expires = crate::kubelet::after(written, recorder::TIME_TO_LIVE);
    if expires > context.now {
        return Ok(Some(expires));
    }
    context.delete(key, &event)?;
    Ok(None)
}
