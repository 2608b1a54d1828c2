//! Policies of every kind: each field within what the API takes, but together they may contradict each other.

use std::collections::BTreeMap;

use jiff::{SignedDuration, civil, tz::TimeZone};
use kubeheal_core::model::policy::{
    BreakerPolicy, Ceiling, HealthPolicy, MinReady, OnOpen, PodConditionPolicy, Policy, Recreate, RemediationPolicy,
    Rung, Window,
};
use proptest::{collection::vec, option, prelude::*};

use crate::support::fixtures::policy;

/// The Service that a circuit may point at a stand-in.
pub(crate) const FRONT: &str = "front";

/// Its stand-in.
pub(crate) fn stand_in() -> BTreeMap<String, String> {
    BTreeMap::from([("app".to_owned(), "sorry".to_owned())])
}

/// Often as short as it may be.
fn span(least: i64, most: i64) -> impl Strategy<Value = SignedDuration> {
    prop_oneof![1 => Just(least), 3 => least..most].prop_map(SignedDuration::from_secs)
}

fn health() -> impl Strategy<Value = HealthPolicy> {
    let min_ready = prop_oneof![(0..4_u32).prop_map(MinReady::Count), (0..=100_u32).prop_map(MinReady::Percent)];
    let condition = (span(0, 300), prop_oneof![Just("True"), Just("False")]).prop_map(|(duration, status)| {
        PodConditionPolicy { kind: "example.com/Safe".to_owned(), status: status.to_owned(), duration }
    });
    (
        span(0, 300),
        span(1, 600),
        span(1, 600),
        1..8_u32,
        span(60, 3600),
        min_ready,
        vec(condition, 0..2),
        (vec(0..3_i32, 0..2), any::<bool>()),
    )
        .prop_map(
            |(
                startup_grace,
                not_ready,
                crash_loop,
                restart_threshold,
                restart_window,
                min_ready,
                pod_conditions,
                (ignored, at_closed_gates),
            )| {
                let mut health = policy().health;
                (health.startup_grace, health.not_ready, health.crash_loop) = (startup_grace, not_ready, crash_loop);
                (health.restart_threshold, health.restart_window) = (restart_threshold, restart_window);
                (health.min_ready, health.pod_conditions) = (min_ready, pod_conditions);
                (health.ignore_exit_codes, health.restart_at_closed_gates) = (ignored, at_closed_gates);
                health
            },
        )
}

fn remediation() -> impl Strategy<Value = RemediationPolicy> {
    let rung = prop_oneof![Just(Rung::RestartPod), Just(Rung::RecreateWorkload), Just(Rung::Rollback)];
    let recreate = prop_oneof![Just(Recreate::IfMissing), Just(Recreate::OnFailure), Just(Recreate::Never)];
    let window = (0..24_i8, 0..24_i8).prop_map(|(start, end)| Window {
        days: Vec::new(),
        start: civil::time(start, 0, 0, 0),
        end: civil::time(end, 0, 0, 0),
        zone: TimeZone::UTC,
    });
    let pauses = (span(1, 120), 1..4_u32, span(1, 900));
    let spans = (span(1, 900), span(0, 600), span(60, 7200), span(0, 600));
    (vec(rung, 1..4), recreate, any::<[bool; 2]>(), pauses, spans, vec(window, 0..2)).prop_map(
        |(ladder, recreate, [delete_when_unready, restart_on_recovery], pauses, spans, windows)| {
            let mut remediation = policy().remediation;
            (remediation.ladder, remediation.recreate) = (ladder, recreate);
            remediation.restart_on_recovery = restart_on_recovery;
            (remediation.delete_when_unready, remediation.windows) = (delete_when_unready, windows);
            (remediation.backoff_initial, remediation.backoff_factor, remediation.backoff_max) = pauses;
            (remediation.verify, remediation.stabilization) = (spans.0, spans.1);
            (remediation.reset_after_healthy, remediation.gitops_grace) = (spans.2, spans.3);
            remediation
        },
    )
}

fn breaker() -> impl Strategy<Value = BreakerPolicy> {
    let stand_in = OnOpen::Fallback { service: FRONT.to_owned(), selector: stand_in() };
    let on_open = prop_oneof![2 => Just(OnOpen::Hold), 1 => Just(OnOpen::ScaleToZero), 1 => Just(stand_in)];
    (1..5_u32, span(1, 7200), 1..8_u32, span(60, 14_400), span(1, 1800), span(1, 3600), 0..4_u32, on_open).prop_map(
        |(failure_threshold, window, recurrence_threshold, recurrence_window, open, max_open, latch_after, on_open)| {
            let mut breaker = policy().breaker;
            (breaker.failure_threshold, breaker.window) = (failure_threshold, window);
            (breaker.recurrence_threshold, breaker.recurrence_window) = (recurrence_threshold, recurrence_window);
            (breaker.open, breaker.max_open, breaker.latch_after) = (open, max_open, latch_after);
            breaker.on_open = on_open;
            breaker
        },
    )
}

/// Any policy that acts.
pub(crate) fn policies() -> impl Strategy<Value = Policy> {
    let ceiling = (0..6_u32)
        .prop_map(|actions_per_hour| Ceiling { actions_per_hour, set_by: "ClusterHealingPolicy/default".to_owned() });
    (health(), remediation(), breaker(), option::weighted(0.2, ceiling)).prop_map(
        |(health, remediation, breaker, ceiling)| {
            let mut any = policy();
            (any.health, any.remediation, any.breaker, any.ceiling) = (health, remediation, breaker, ceiling);
            any
        },
    )
}
