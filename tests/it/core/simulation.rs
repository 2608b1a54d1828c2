//! One service in a world that misbehaves at random, decided again and again through its status.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kubeheal::{
    api::status::HealedServiceStatus,
    status::{load, render, store},
};
use kubeheal_core::{
    circuit::summary,
    decide,
    model::{
        alert::{Receiver, Receivers},
        decision::Decision,
        dependency::{Dependency, DependencyHealth},
        execution::Execution,
        plan::{Effect, Plan},
        policy::{OnOpen, Policy},
        snapshot::{
            ContainerState, Deletion, Diverted, Live, NodeDrain, NodeLoss, Patience, Phase, Pod, Readiness, Rollout,
            Snapshot, Termination, Workload, WorkloadKind,
        },
        state::{Change, CircuitState},
    },
    settle,
};
use proptest::{collection::vec, option, prelude::*};

use crate::support::fixtures::{at, beside, database, pod, snapshot, workload};

/// Pods of the service.
pub(crate) const PODS: usize = 2;

/// What a pod can look like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Well,
    Unready,
    Crashed {
        restarts: u8,
        oom: bool,
    },
    Starting,
    NodeLost,
    Silent,
    Drained,
    BadImage,
    Unschedulable,
    Failed,
    Leaving,
    Replaced,
    /// Its node has another boot ID.
    Boots,
    /// Its container was told to end and runs again.
    StartsAgain,
    /// Both at once.
    Rebooted,
}

/// What the workload can look like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whole {
    There,
    Rolling,
    Stuck,
    Deleting,
    ScaledToZero,
    Gone,
    Unreadable,
}

/// What people and neighbours do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request {
    Nothing,
    HealNow,
    ResetBreaker,
    ForceOpen,
    EndForceOpen,
    DependencyWeak,
    DependencyDown,
    DependencyRecovering,
    DependencyUp,
}

/// What the API server makes of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Refused,
    Vanished,
    Failed,
}

/// One reconcile at the world.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    wait: u16,
    pods: Vec<Shape>,
    whole: Whole,
    request: Request,
    answer: Answer,
}

/// One receiver of alerts, who hears nothing back: what it is to know stays in the status.
pub(crate) fn receivers() -> Receivers {
    let sink = Receiver { name: "hook".to_owned(), destination: "somewhere".to_owned(), kept_alive: false };
    Receivers { repeat: SignedDuration::from_secs(3600), list: [sink].into(), deliveries: Vec::new() }
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        5 => Just(Shape::Well),
        4 => Just(Shape::Unready),
        4 => (1..4_u8, any::<bool>()).prop_map(|(restarts, oom)| Shape::Crashed { restarts, oom }),
        1 => Just(Shape::Starting),
        1 => Just(Shape::NodeLost),
        1 => Just(Shape::Silent),
        1 => Just(Shape::Drained),
        1 => Just(Shape::BadImage),
        1 => Just(Shape::Unschedulable),
        1 => Just(Shape::Failed),
        1 => Just(Shape::Leaving),
        1 => Just(Shape::Replaced),
        1 => Just(Shape::Boots),
        1 => Just(Shape::StartsAgain),
        1 => Just(Shape::Rebooted),
    ]
}

fn whole() -> impl Strategy<Value = Whole> {
    prop_oneof![
        20 => Just(Whole::There),
        1 => Just(Whole::Rolling),
        1 => Just(Whole::Stuck),
        1 => Just(Whole::Deleting),
        1 => Just(Whole::ScaledToZero),
        2 => Just(Whole::Gone),
        1 => Just(Whole::Unreadable),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        14 => Just(Request::Nothing),
        2 => Just(Request::HealNow),
        1 => Just(Request::ResetBreaker),
        1 => Just(Request::ForceOpen),
        1 => Just(Request::EndForceOpen),
        1 => Just(Request::DependencyWeak),
        1 => Just(Request::DependencyDown),
        1 => Just(Request::DependencyRecovering),
        3 => Just(Request::DependencyUp),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        5 => Just(Answer::Done),
        2 => Just(Answer::Refused),
        2 => Just(Answer::Vanished),
        1 => Just(Answer::Failed),
    ]
}

/// Histories of up to so many reconciles, from a second to ten minutes apart.
pub(crate) fn histories(reconciles: usize) -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![2 => 1..15_u16, 1 => 15..600_u16];
    let step = (wait, vec(shape(), PODS), whole(), request(), answer())
        .prop_map(|(wait, pods, whole, request, answer)| Step { wait, pods, whole, request, answer });
    // Trouble lasts: a reconcile often finds what the one before found.
    vec((step, option::weighted(0.6, Just(()))), 1..reconciles).prop_map(|steps| {
        let mut history: Vec<Step> = Vec::new();
        for (mut step, again) in steps {
            if let (Some(()), Some(last)) = (again, history.last()) {
                (step.pods, step.whole) = (last.pods.clone(), last.whole);
            }
            history.push(step);
        }
        history
    })
}

/// One pod over time.
#[derive(Debug, Clone)]
struct Actor {
    generation: u32,
    restarts: u32,
    /// How often its node was rebooted.
    boots: u32,
    created: Timestamp,
    since: Timestamp,
}

impl Actor {
    fn replaced(&mut self, now: Timestamp) {
        *self = Self { generation: self.generation + 1, restarts: 0, boots: self.boots, created: now, since: now };
    }

    fn pod(&mut self, index: usize, shape: Shape, now: Timestamp) -> Pod {
        if matches!(shape, Shape::Replaced) {
            self.replaced(now);
        }
        let ready = matches!(shape, Shape::Well | Shape::Boots);
        self.boots += u32::from(matches!(shape, Shape::Boots | Shape::Rebooted));
        let mut pod = pod(&format!("api-{index}"), ready);
        pod.uid = format!("uid-{index}-{}", self.generation);
        pod.ready_changed = Some(self.since);
        pod.origin.created = Some(self.created);
        pod.host.boot = Some(format!("boot {}", self.boots));
        let container = &mut pod.containers[0];
        match shape {
            Shape::Well | Shape::Boots => pod.ready = Readiness::Ready(Some(self.since)),
            Shape::Unready | Shape::Replaced => {}
            Shape::Leaving => pod.deletion = Some(Deletion::default()),
            Shape::Crashed { restarts, oom } => {
                self.restarts += u32::from(restarts);
                self.since = now;
                let (exit_code, reason) = if oom { (137, "OOMKilled") } else { (1, "Error") };
                let last = Termination { exit_code, reason: reason.to_owned(), ..Termination::default() };
                container.last = Some(Termination { finished: Some(now), ..last });
                container.state = waits("CrashLoopBackOff");
                container.started = false;
            }
            Shape::StartsAgain | Shape::Rebooted => {
                self.restarts += 1;
                let last = Termination { exit_code: 143, reason: "Error".to_owned(), ..Termination::default() };
                container.last = Some(Termination { started: Some(self.since), finished: Some(now), ..last });
                self.since = now;
            }
            Shape::Starting => {
                container.started = false;
                container.startup = Some(Patience { least: seconds(110), most: seconds(120) });
            }
            Shape::NodeLost => {
                pod.ready = Readiness::NotReady(None);
                container.ready = true;
            }
            Shape::Silent => pod.host.loss = Some(NodeLoss::Unreachable),
            Shape::Drained => pod.host.drain = Some(NodeDrain::Cordoned),
            Shape::BadImage => {
                pod.phase = Phase::Pending;
                container.state = waits("ImagePullBackOff");
            }
            Shape::Unschedulable => {
                pod.phase = Phase::Pending;
                pod.unschedulable = Some("no node".to_owned());
                pod.containers.clear();
            }
            Shape::Failed => pod.phase = Phase::Failed,
        }
        if let Some(container) = pod.containers.first_mut() {
            container.restart_count = self.restarts;
            if matches!(container.state, ContainerState::Running(_)) {
                container.state = ContainerState::Running(Some(self.since));
            }
        }
        pod
    }
}

fn waits(reason: &str) -> ContainerState {
    ContainerState::Waiting { reason: reason.to_owned(), message: String::new() }
}

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

/// One reconcile and what came of it.
pub(crate) struct Turn<'a> {
    pub(crate) seen: &'a Snapshot,
    pub(crate) decision: &'a Decision,
    /// As it was written before the action.
    pub(crate) status: &'a HealedServiceStatus,
    pub(crate) now: Timestamp,
    /// What the API server will make of the action, if there is one.
    pub(crate) answer: Option<Answer>,
}

/// A service on its way through a history.
pub(crate) struct Simulation {
    actors: Vec<Actor>,
    seconds: i64,
    requests: u32,
    forced: bool,
    resets: u32,
    /// What the workload asks for, and whom the Service before it shows.
    replicas: u32,
    selector: BTreeMap<String, String>,
    dependency: Dependency,
    pub(crate) status: HealedServiceStatus,
}

impl Simulation {
    pub(crate) fn new() -> Self {
        Self {
            actors: vec![Actor { generation: 0, restarts: 0, boots: 0, created: at(0), since: at(0) }; PODS],
            seconds: 0,
            requests: 0,
            forced: false,
            resets: 0,
            replicas: u32::try_from(PODS).unwrap(),
            selector: BTreeMap::from([("app".to_owned(), "api".to_owned())]),
            dependency: database(DependencyHealth::Available(at(-3600))),
            status: HealedServiceStatus::default(),
        }
    }

    /// Plays a history and hands each look to `check`.
    pub(crate) fn all(&mut self, policy: &Policy, history: &[Step], mut check: impl FnMut(&Turn<'_>)) {
        for step in history {
            self.step(policy, step, &mut check);
        }
    }

    fn step(&mut self, policy: &Policy, step: &Step, check: &mut impl FnMut(&Turn<'_>)) {
        self.seconds += i64::from(step.wait);
        self.take(step.request);
        let now = at(self.seconds);
        let seen = self.see(policy, step, now);
        let decision = decide(policy, &seen, now);
        self.status = stored(&decision, &self.status, now);
        let answer = decision.plan().map(|_| step.answer);
        check(&Turn { seen: &seen, decision: &decision, status: &self.status, now, answer });
        let Some(plan) = decision.plan() else { return };
        let execution = match step.answer {
            Answer::Done => Execution::Done,
            Answer::Refused => Execution::Refused("busy".to_owned()),
            Answer::Vanished => Execution::Vanished,
            Answer::Failed => Execution::Failed("forbidden".to_owned()),
        };
        let settled = settle(policy, &seen, &decision.state, (plan, &execution), now);
        store(&mut self.status, &settled, summary(&policy.breaker, &settled, now));
        if execution == Execution::Done {
            self.carry_out(plan, now);
        }
        self.status = travelled(&self.status);
    }

    /// What is to be seen, and from when on, where nothing is done. A request to heal now is answered once, by the first who looks:
    /// there is none.
    pub(crate) fn worlds(&mut self, policy: &Policy, history: &[Step]) -> Vec<(Timestamp, Snapshot)> {
        let world = |step: &Step| {
            self.seconds += i64::from(step.wait);
            self.take(step.request);
            let now = at(self.seconds);
            let mut seen = self.see(policy, step, now);
            seen.service.heal_now = None;
            (now, seen)
        };
        history.iter().map(world).collect()
    }

    fn carry_out(&mut self, plan: &Plan, now: Timestamp) {
        match &plan.effect {
            Effect::EvictPod { .. } => {
                let index = plan.action.target.rsplit('-').next().unwrap().parse::<usize>().unwrap();
                self.actors[index].replaced(now);
            }
            Effect::CreateWorkload { .. } | Effect::ReplaceWorkload { .. } | Effect::Rollback { .. } => {
                self.actors.iter_mut().for_each(|actor| actor.replaced(now));
            }
            // Somebody else may have scaled it for this one reconcile.
            Effect::Scale { from: _, to } => {
                self.replicas = *to;
                self.actors.iter_mut().for_each(|actor| actor.replaced(now));
            }
            Effect::Select { from, to } => {
                assert_eq!(self.selector, *from);
                self.selector.clone_from(to);
            }
        }
    }

    /// The clock jumps.
    pub(crate) fn jump(&mut self, seconds: i64) {
        self.seconds += seconds;
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Nothing => {}
            Request::HealNow => self.requests += 1,
            Request::ResetBreaker => self.resets += 1,
            Request::ForceOpen => self.forced = true,
            Request::EndForceOpen => self.forced = false,
            Request::DependencyWeak => self.depend(DependencyHealth::Unavailable, false, false),
            Request::DependencyDown => self.depend(DependencyHealth::Unavailable, true, false),
            Request::DependencyRecovering => {
                self.depend(DependencyHealth::Available(at(self.seconds - 3600)), false, true);
            }
            Request::DependencyUp => self.depend(DependencyHealth::Available(at(self.seconds)), false, false),
        }
    }

    fn depend(&mut self, state: DependencyHealth, down: bool, recovering: bool) {
        self.dependency = Dependency { health: state, down, recovering, ..self.dependency.clone() };
    }

    /// What the controller would ask for.
    fn live(&self, policy: &Policy, seen: &Snapshot) -> Live {
        let reaction = seen.state.mitigation.as_ref().map(|reaction| &reaction.change);
        let opened = seen.state.circuit.state() != CircuitState::Closed;
        let uid = "uid-front".to_owned();
        let diverted = match reaction {
            Some(Change::Diverted { selector, stand_in }) => {
                Some(Diverted { selector: selector.clone(), stand_in: stand_in.clone() })
            }
            Some(Change::ToZero { .. }) | None => None,
        };
        let front = Live::Service { uid, selector: self.selector.clone(), tool: None, diverted };
        match (reaction, &policy.breaker.on_open, &seen.workload) {
            (Some(Change::ToZero { .. }), _, Workload::Present(state)) => {
                let scaled_from = (self.replicas == 0).then_some(u32::try_from(PODS).unwrap());
                Live::Replicas { uid: state.uid.clone(), replicas: state.desired, scaled_from }
            }
            (Some(Change::ToZero { .. }), _, Workload::Missing { .. }) => Live::Missing,
            (Some(Change::ToZero { .. }), _, Workload::Unknown(why)) => Live::Unreadable(why.clone()),
            (Some(Change::Diverted { .. }), _, _) => front,
            (None, OnOpen::Fallback { .. }, _) if opened => front,
            (None, OnOpen::Hold | OnOpen::ScaleToZero | OnOpen::Fallback { .. }, _) => Live::NotAsked,
        }
    }

    fn see(&mut self, policy: &Policy, step: &Step, now: Timestamp) -> Snapshot {
        let actors = self.actors.iter_mut().enumerate();
        let pods: Vec<Pod> = actors.map(|(index, actor)| actor.pod(index, step.pods[index], now)).collect();
        let mut state = workload(WorkloadKind::Deployment, self.replicas);
        match step.whole {
            Whole::There | Whole::Gone | Whole::Unreadable => {}
            Whole::Rolling => state.rollout = Rollout::InProgress,
            Whole::Stuck => state.rollout = Rollout::Stuck,
            Whole::Deleting => state.deleting = true,
            Whole::ScaledToZero => state.desired = 0,
        }
        let mut seen = snapshot(state, pods);
        seen.receivers = receivers();
        match step.whole {
            Whole::Gone => {
                seen.workload = Workload::Missing { kind: WorkloadKind::Deployment, name: "api".to_owned() };
                seen.pods.clear();
            }
            Whole::Unreadable => {
                seen.workload = Workload::Unknown("no answer".to_owned());
                seen.pods.clear();
            }
            Whole::There | Whole::Rolling | Whole::Stuck | Whole::Deleting | Whole::ScaledToZero => {}
        }
        if self.replicas == 0 {
            seen.pods.clear();
        }
        seen.service.heal_now = (self.requests > 0).then(|| self.requests.to_string());
        seen.service.reset_breaker = (self.resets > 0).then(|| self.resets.to_string());
        seen.service.force_open = self.forced.then(|| "by hand".to_owned());
        seen.dependencies = vec![self.dependency.clone()];
        seen.state = load(&self.status);
        seen.live = self.live(policy, &seen);
        seen
    }

    /// A person resets the breaker.
    pub(crate) fn reset(&mut self) {
        self.resets += 1;
    }

    /// From now on all is well: reconciles five minutes apart, for ten hours.
    pub(crate) fn well(&mut self, policy: &Policy, mut check: impl FnMut(&Turn<'_>)) {
        self.quiet();
        for actor in &mut self.actors {
            actor.replaced(at(self.seconds));
        }
        for _ in 0..120 {
            self.step(policy, &Step::of(Shape::Well, 300), &mut check);
        }
    }

    /// From now on nothing is ready, whatever is done: reconciles a minute apart, for so many hours.
    pub(crate) fn sick(&mut self, policy: &Policy, hours: usize, mut check: impl FnMut(&Turn<'_>)) {
        self.quiet();
        for _ in 0..hours * 60 {
            self.step(policy, &Step::of(Shape::Unready, 60), &mut check);
        }
    }

    /// Nobody forbids anything.
    fn quiet(&mut self) {
        self.forced = false;
        self.depend(DependencyHealth::Available(at(self.seconds - 3600)), false, false);
    }
}

impl Step {
    fn of(shape: Shape, wait: u16) -> Self {
        Self { wait, pods: vec![shape; PODS], whole: Whole::There, request: Request::Nothing, answer: Answer::Done }
    }
}

/// What stands in the cluster after a decision was written.
pub(crate) fn stored(decision: &Decision, old: &HealedServiceStatus, now: Timestamp) -> HealedServiceStatus {
    travelled(&render(decision, old, beside(), now))
}

/// Through JSON and back, as to an API server.
fn travelled(status: &HealedServiceStatus) -> HealedServiceStatus {
    serde_json::from_str(&serde_json::to_string(status).unwrap()).unwrap()
}
