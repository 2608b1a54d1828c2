//! The metrics' names and series, as Prometheus reads them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use kubeheal::{
    api::ReceiverType,
    controller::queue::Queue,
    ops::metrics::{AlertResult, Decided, Metrics, ReconcileResult},
};
use kubeheal_core::model::{
    condition::{Condition, ConditionType, Truth},
    plan::Step,
    reason::{Block, Reason},
    state::{CircuitState, Outcome},
    verdict::Health,
};

/// Everything a controller reports in its life, once.
fn busy() -> Metrics {
    let metrics = Metrics::new("2026-11-23T00:00:00.5Z".parse().unwrap());
    metrics.max_workers(4);
    metrics.worker_started();
    metrics.reconciled(ReconcileResult::Success, Duration::from_millis(20));
    metrics.reconciled(ReconcileResult::Error, Duration::from_secs(2));
    metrics.acted(Step::RestartPod, Outcome::Verified);
    metrics.suppressed(Reason::DisruptionBudget);
    let degraded = Condition {
        kind: ConditionType::Degraded,
        status: Truth::True,
        reason: Reason::CrashLoop,
        message: "api-7d9c-x2x: app exited 1".to_owned(),
    };
    let held = [Block::new(Reason::StormHold, "api-7d9c-x2x waits"), Block::new(Reason::StormHold, "so does another")];
    metrics.decided(
        ("shop", "api"),
        &Decided {
            health: Health::Unhealthy,
            circuit: CircuitState::HalfOpen,
            conditions: &[degraded],
            blocked_by: &held,
            undelivered: 2,
        },
    );
    metrics.decided(
        ("shop", "web"),
        &Decided {
            health: Health::Healthy,
            circuit: CircuitState::Closed,
            conditions: &[],
            blocked_by: &[],
            undelivered: 0,
        },
    );
    metrics.alerted(ReceiverType::Slack, AlertResult::Sent);
    metrics.recovered(95.0);
    metrics.watch("pods", true);
    metrics.watch("events", false);
    metrics.watch_failed("events");
    metrics.undecoded("pods", 2);
    metrics.leading(true);
    metrics.follow(Arc::new(Queue::default()));
    metrics
}

/// Value by series, for example `name{label="value"}`. Fails on a series written twice.
fn series(text: &str) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let before = found.insert(series.to_owned(), value.parse().unwrap());
        assert_eq!(before, None, "{series} is written twice");
    }
    found
}

/// Metrics that were scraped already, and showed that.
fn shown(series: &str) -> Metrics {
    let metrics = busy();
    assert!(metrics.encode().contains(series), "{series}");
    metrics
}

#[test]
fn every_name_is_written_as_documented() {
    let text = busy().encode();
    let names: BTreeSet<String> =
        series(&text).keys().map(|series| series.split('{').next().unwrap().to_owned()).collect();
    let expected = [
        "controller_runtime_active_workers",
        "controller_runtime_max_concurrent_reconciles",
        "controller_runtime_reconcile_errors_total",
        "controller_runtime_reconcile_time_seconds_bucket",
        "controller_runtime_reconcile_time_seconds_count",
        "controller_runtime_reconcile_time_seconds_sum",
        "controller_runtime_reconcile_total",
        "kubeheal_alerts_total",
        "kubeheal_alerts_undelivered",
        "kubeheal_build_info",
        "kubeheal_circuit_breaker_state",
        "kubeheal_evaluations_total",
        "kubeheal_events_dropped_total",
        "kubeheal_healing_actions_total",
        "kubeheal_held_back",
        "kubeheal_recovery_duration_seconds_bucket",
        "kubeheal_recovery_duration_seconds_count",
        "kubeheal_recovery_duration_seconds_sum",
        "kubeheal_status_condition",
        "kubeheal_suppressed_actions_total",
        "kubeheal_undecoded_objects",
        "kubeheal_watch_errors_total",
        "kubeheal_watch_synced",
        "leader_election_master_status",
        "process_start_time_seconds",
        "workqueue_depth",
        "workqueue_longest_running_processor_seconds",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());
}

#[test]
fn values_are_what_was_reported() {
    let found = series(&busy().encode());
    let expected = [
        (r#"controller_runtime_reconcile_total{controller="healedservice",result="success"}"#, 1.0),
        (r#"controller_runtime_reconcile_total{controller="healedservice",result="requeue_after"}"#, 0.0),
        (r#"controller_runtime_reconcile_errors_total{controller="healedservice"}"#, 1.0),
        (r#"controller_runtime_reconcile_time_seconds_bucket{controller="healedservice",le="0.025"}"#, 1.0),
        (r#"controller_runtime_active_workers{controller="healedservice"}"#, 1.0),
        (r#"controller_runtime_max_concurrent_reconciles{controller="healedservice"}"#, 4.0),
        (r#"leader_election_master_status{name="kubeheal"}"#, 1.0),
        (r#"kubeheal_healing_actions_total{action="RestartPod",outcome="Verified"}"#, 1.0),
        (r#"kubeheal_healing_actions_total{action="Rollback",outcome="Failed"}"#, 0.0),
        (r#"kubeheal_suppressed_actions_total{reason="DisruptionBudget"}"#, 1.0),
        (r#"kubeheal_alerts_total{result="sent",type="Slack"}"#, 1.0),
        (r#"kubeheal_alerts_total{result="failed",type="PagerDuty"}"#, 0.0),
        (r#"kubeheal_alerts_undelivered{name="api",namespace="shop"}"#, 2.0),
        (r#"kubeheal_circuit_breaker_state{name="api",namespace="shop",state="HalfOpen"}"#, 1.0),
        (r#"kubeheal_circuit_breaker_state{name="api",namespace="shop",state="Closed"}"#, 0.0),
        (r#"kubeheal_circuit_breaker_state{name="web",namespace="shop",state="Closed"}"#, 1.0),
        (r#"kubeheal_status_condition{name="api",namespace="shop",status="True",type="Degraded"}"#, 1.0),
        (r#"kubeheal_status_condition{name="api",namespace="shop",status="Unknown",type="Degraded"}"#, 0.0),
        (r#"kubeheal_evaluations_total{health="Unhealthy"}"#, 1.0),
        (r#"kubeheal_held_back{name="api",namespace="shop",reason="StormHold"}"#, 1.0),
        ("kubeheal_recovery_duration_seconds_sum", 95.0),
        (r#"workqueue_depth{name="healedservice"}"#, 0.0),
        (r#"kubeheal_watch_synced{resource="pods"}"#, 1.0),
        (r#"kubeheal_watch_synced{resource="events"}"#, 0.0),
        (r#"kubeheal_watch_errors_total{resource="events"}"#, 1.0),
        (r#"kubeheal_undecoded_objects{resource="pods"}"#, 2.0),
        (r#"kubeheal_undecoded_objects{resource="events"}"#, 0.0),
        ("process_start_time_seconds", 1_795_392_000.5),
    ];
    for (series, value) in expected {
        assert_eq!(found.get(series), Some(&value), "{series} in\n{found:#?}");
    }
}

#[test]
fn labels_name_no_pod_and_no_message() {
    assert!(!busy().encode().contains("api-7d9c-x2x"));
}

#[test]
fn a_deleted_service_leaves_no_series() {
    let metrics = shown(r#"name="api""#);
    metrics.forget("shop", "api");
    let text = metrics.encode();
    assert!(!text.contains(r#"name="api""#), "{text}");
    assert!(text.contains(r#"name="web""#), "{text}");
}

#[test]
fn who_leads_no_longer_shows_no_services() {
    let metrics = shown(r#"namespace="shop""#);
    metrics.leading(false);
    assert!(!metrics.encode().contains(r#"namespace="shop""#));
}

#[test]
fn a_condition_that_is_no_longer_said_leaves_no_series() {
    let metrics = shown("kubeheal_status_condition{");
    metrics.decided(
        ("shop", "api"),
        &Decided {
            health: Health::Healthy,
            circuit: CircuitState::Closed,
            conditions: &[],
            blocked_by: &[],
            undelivered: 0,
        },
    );
    assert!(!metrics.encode().contains("Degraded"));
}
