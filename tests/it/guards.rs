//! Each reason to leave a workload alone, one by one: without it the step is taken, with it the step is not.

use kubeheal_core::{
    decide,
    model::{
        decision::Decision,
        plan::{Effect, Step},
        policy::{Policy, Recreate, Rung},
        snapshot::{Hold, Rollout, Snapshot, Tool, Workload, WorkloadKind, WorkloadState},
    },
};

use crate::support::fixtures::{at, good, ineffective, policy, sick, workload};

const NOW: i64 = 3_000;

fn on_failure() -> Policy {
    let mut policy = policy();
    policy.remediation.recreate = Recreate::OnFailure;
    policy
}

/// Restarts did not cure it: the next rung is due.
fn uncured(kind: WorkloadKind) -> Snapshot {
    let mut seen = sick(workload(kind, 2));
    seen.state.attempts.actions = ineffective(1, at(NOW)).into();
    seen
}

fn decided(policy: &Policy, seen: &Snapshot) -> Decision {
    decide(policy, seen, at(NOW))
}

fn step(decision: &Decision) -> Option<Step> {
    decision.plan().map(|plan| plan.action.step)
}

fn reasons(decision: &Decision) -> Vec<&'static str> {
    decision.blocked_by().iter().map(|block| block.reason.as_str()).collect()
}

fn change(seen: &mut Snapshot, change: impl FnOnce(&mut WorkloadState)) {
    let Workload::Present(state) = &mut seen.workload else { panic!("it is there") };
    change(state);
}

#[test]
fn a_workload_that_restarts_did_not_cure_is_replaced_with_the_last_observed_replicas() {
    for kind in [WorkloadKind::Deployment, WorkloadKind::StatefulSet, WorkloadKind::DaemonSet] {
        let mut seen = uncured(kind);
        change(&mut seen, |state| state.desired = 7);
        let plan = decided(&on_failure(), &seen).plan().expect("a step").clone();
        assert_eq!(plan.action.step, Step::RecreateWorkload);
        assert_eq!(
            plan.effect,
            Effect::ReplaceWorkload { revision: "api-kubeheal-1".to_owned(), replicas: Some(7) },
            "{kind:?}"
        );
        assert_eq!(plan.action.uid(), "uid-api");
    }
    let bare = decided(&policy(), &sick(workload(WorkloadKind::Pod, 1))).plan().expect("a step").clone();
    assert_eq!(bare.action.step, Step::RestartPod);
    assert_eq!(bare.effect, Effect::ReplaceWorkload { revision: "api-kubeheal-1".to_owned(), replicas: None });
}

/// What stands in the way, how the step is then held back, and by what.
type Guard = (&'static str, fn(&mut Snapshot), &'static str);
/// What rules a rung out, and what is then said.
type Ban = (&'static str, fn(&mut Snapshot, &mut Policy), &'static str);

const HELD: [Guard; 8] = [
    ("the service goes, or its namespace", |seen| seen.service.deleting = true, "ServiceDeleting"),
    ("the workload goes", |seen| change(seen, |state| state.deleting = true), "WorkloadDeleting"),
    ("somebody announced it", |seen| change(seen, |state| state.intentional_delete = true), "IntentionalDelete"),
    ("Argo CD has its time", |seen| change(seen, |state| state.tool = Some(Tool::ArgoCd)), "GitOpsGrace"),
    ("Flux has its time", |seen| change(seen, |state| state.tool = Some(Tool::Flux)), "GitOpsGrace"),
    ("Helm has its time", |seen| change(seen, |state| state.tool = Some(Tool::Helm)), "GitOpsGrace"),
    ("it rolls out", |seen| change(seen, |state| state.rollout = Rollout::InProgress), "RolloutInProgress"),
    ("paused half-way", |seen| change(seen, |state| state.rollout = Rollout::Held(Hold::Paused)), "RolloutPaused"),
];

#[test]
fn each_guard_holds_the_replacement_of_a_living_workload_back() {
    let mut patient = on_failure();
    patient.remediation.gitops_grace = jiff::SignedDuration::from_secs(NOW + 1);
    for (what, put_in_the_way, reason) in HELD {
        let mut seen = uncured(WorkloadKind::Deployment);
        assert_eq!(step(&decided(&patient, &seen)), Some(Step::RecreateWorkload), "{what}: without it");
        put_in_the_way(&mut seen);
        let decision = decided(&patient, &seen);
        assert_eq!(step(&decision), None, "{what}");
        assert!(reasons(&decision).contains(&reason), "{what}: {:?}", decision.blocked_by());
    }
    // The same for a bare pod, which is replaced to be restarted.
    for (what, put_in_the_way, reason) in &HELD[..6] {
        let mut seen = sick(workload(WorkloadKind::Pod, 1));
        assert_eq!(step(&decided(&patient, &seen)), Some(Step::RestartPod), "{what}: without it");
        put_in_the_way(&mut seen);
        let decision = decided(&patient, &seen);
        assert_eq!(step(&decision), None, "{what}");
        assert!(reasons(&decision).contains(reason), "{what}: {:?}", decision.blocked_by());
    }
}

#[test]
fn when_its_time_is_over_what_a_tool_deployed_is_replaced() {
    let mut seen = uncured(WorkloadKind::Deployment);
    change(&mut seen, |state| state.tool = Some(Tool::ArgoCd));
    assert_eq!(step(&decided(&on_failure(), &seen)), Some(Step::RecreateWorkload));
}

#[test]
fn a_rung_that_must_never_be_taken_is_left_out_and_said_if_it_is_the_only_one() {
    let table: [Ban; 5] = [
        ("gone only", |_, policy| policy.remediation.recreate = Recreate::IfMissing, "RecreateNotAllowed"),
        ("never", |_, policy| policy.remediation.recreate = Recreate::Never, "RecreateNotAllowed"),
        ("nothing kept", |seen, _| seen.last_known_good = None, "NoLastKnownGood"),
        ("a living owner", |seen, _| change(seen, |state| state.controlled = true), "ControlledByOwner"),
        ("claims", |seen, _| change(seen, |state| state.claims_go_with_it = true), "ClaimsAtRisk"),
    ];
    for (what, forbid, reason) in table {
        let (mut seen, mut policy) = (uncured(WorkloadKind::StatefulSet), on_failure());
        forbid(&mut seen, &mut policy);
        assert_eq!(step(&decided(&policy, &seen)), Some(Step::RestartPod), "{what}: the other rung");
        policy.remediation.ladder = vec![Rung::RecreateWorkload];
        let decision = decided(&policy, &seen);
        assert_eq!(step(&decision), None, "{what}");
        assert_eq!(reasons(&decision), [reason], "{what}");
    }
}

#[test]
fn scaled_to_zero_and_what_cannot_be_seen_are_never_replaced() {
    let mut idle = uncured(WorkloadKind::Deployment);
    change(&mut idle, |state| state.desired = 0);
    assert_eq!(step(&decided(&on_failure(), &idle)), None);
    let mut unknown = uncured(WorkloadKind::Deployment);
    unknown.workload = Workload::Unknown("the watch is interrupted".to_owned());
    assert_eq!(step(&decided(&on_failure(), &unknown)), None);
}

/// Gone for certain: asked live twice.
fn gone() -> Snapshot {
    let mut seen = sick(workload(WorkloadKind::Deployment, 3));
    seen.workload = Workload::Missing { kind: WorkloadKind::Deployment, name: "api".to_owned() };
    seen.pods.clear();
    seen.state.observed.missing_since = Some(at(NOW - 10));
    seen
}

#[test]
fn each_guard_holds_the_recreation_of_a_missing_workload_back() {
    let table: [Guard; 6] = [
        ("the service goes, or its namespace", |seen| seen.service.deleting = true, "ServiceDeleting"),
        ("scaled to zero before", |seen| seen.state.observed.last_replicas = Some(0), "ScaledToZero"),
        ("somebody announced it", |seen| seen.state.observed.intentional_delete = true, "IntentionalDelete"),
        ("its owner lives", |seen| seen.last_known_good.as_mut().unwrap().controlled = true, "ControlledByOwner"),
        (
            "Flux has its time",
            |seen| seen.last_known_good.as_mut().unwrap().managed_by = Some(Tool::Flux),
            "GitOpsGrace",
        ),
        ("nothing kept", |seen| seen.last_known_good = None, "NoLastKnownGood"),
    ];
    for (what, put_in_the_way, reason) in table {
        let mut seen = gone();
        let plan = decided(&policy(), &seen).plan().expect("a step").clone();
        let wanted = Effect::CreateWorkload { revision: good().revision, replicas: Some(3) };
        assert_eq!(plan.effect, wanted, "{what}: without it");
        put_in_the_way(&mut seen);
        let decision = decided(&policy(), &seen);
        assert_eq!(step(&decision), None, "{what}");
        assert!(reasons(&decision).contains(&reason), "{what}: {:?}", decision.blocked_by());
    }
    let mut once = gone();
    once.state.observed.missing_since = None;
    assert_eq!(step(&decided(&policy(), &once)), None, "one reconcile is none");
}
