//! API fields, with their defaults, as the plain values that deciding reads.

use jiff::{SignedDuration, civil, tz::TimeZone};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api;
use kubeheal_core::model::policy::{
    BreakerPolicy, ClusterPolicy, HealthPolicy, MinReady, Mode, OnOpen, PodConditionPolicy, Policy, Recreate,
    RemediationPolicy, Rung, Window,
};

/// The policy of one service. Fields that the API server's rules would have refused fall back to the careful side.
pub fn translate(settings: &api::HealingSettings, cluster: &ClusterPolicy) -> Policy {
    let api::HealingSettings {
        mode,
        suspend,
        health,
        depends_on: _,
        remediation,
        circuit_breaker,
        diagnosis: _,
        escalation,
        alerts: _,
    } = settings;
    Policy {
        mode: match mode {
            api::Mode::Heal => Mode::Heal,
            api::Mode::Observe => Mode::Observe,
        },
        suspend: *suspend,
        health: health_policy(health),
        remediation: remediation_policy(remediation),
        breaker: breaker_policy(circuit_breaker),
        escalate_after: seconds(escalation.unhealthy_seconds),
        cluster: cluster.clone(),
        ceiling: None,
        held: None,
    }
}

/// Fields that are set and cannot do anything beside others, each as a sentence.
pub(super) fn without_effect(settings: &api::HealingSettings) -> Option<String> {
    let api::Remediation { ladder, restart_on_dependency_recovery, .. } = &settings.remediation;
    let is_idle = *restart_on_dependency_recovery && !ladder.contains(&api::Step::RestartPod);
    (is_idle && !settings.depends_on.is_empty()).then(|| {
        "remediation.restartOnDependencyRecovery does nothing: add RestartPod to remediation.ladder".to_owned()
    })
}

fn health_policy(health: &api::HealthCriteria) -> HealthPolicy {
    HealthPolicy {
        startup_grace: seconds(health.startup_grace_seconds),
        not_ready: seconds(health.not_ready_seconds),
        crash_loop: seconds(health.crash_loop_seconds),
        restart_threshold: count(health.restarts.threshold),
        restart_window: seconds(health.restarts.window_seconds),
        min_ready: min_ready(&health.min_ready),
        pod_conditions: health.pod_conditions.iter().map(pod_condition).collect(),
        restart_at_closed_gates: match health.readiness_gates {
            api::ReadinessGates::Hold => false,
            api::ReadinessGates::Restart => true,
        },
        ignore_exit_codes: health.ignore_exit_codes.clone(),
    }
}

fn pod_condition(rule: &api::PodConditionRule) -> PodConditionPolicy {
    PodConditionPolicy {
        kind: rule.type_.clone(),
        status: match rule.status {
            api::ConditionStatus::True => "True",
            api::ConditionStatus::False => "False",
            api::ConditionStatus::Unknown => "Unknown",
        }
        .to_owned(),
        duration: seconds(rule.seconds),
    }
}

fn min_ready(value: &IntOrString) -> MinReady {
    match value {
        IntOrString::Int(pods) => MinReady::Count(count(*pods)),
        IntOrString::String(text) => match text.strip_suffix('%').and_then(|digits| digits.parse().ok()) {
            Some(percent) => MinReady::Percent(percent),
            None => MinReady::Count(1),
        },
    }
}

fn remediation_policy(remediation: &api::Remediation) -> RemediationPolicy {
    RemediationPolicy {
        ladder: remediation
            .ladder
            .iter()
            .map(|step| match step {
                api::Step::RestartPod => Rung::RestartPod,
                api::Step::RecreateWorkload => Rung::RecreateWorkload,
                api::Step::Rollback => Rung::Rollback,
            })
            .collect(),
        recreate: match remediation.recreate {
            api::RecreatePolicy::IfMissing => Recreate::IfMissing,
            api::RecreatePolicy::OnFailure => Recreate::OnFailure,
            api::RecreatePolicy::Never => Recreate::Never,
        },
        delete_when_unready: match remediation.eviction_policy {
            api::EvictionPolicy::RespectBudget => false,
            api::EvictionPolicy::DeleteWhenUnready => true,
        },
        backoff_initial: seconds(remediation.backoff.initial_seconds),
        backoff_factor: count(remediation.backoff.factor),
        backoff_max: seconds(remediation.backoff.max_seconds),
        verify: seconds(remediation.verify_seconds),
        stabilization: seconds(remediation.stabilization_seconds),
        reset_after_healthy: seconds(remediation.reset_after_healthy_seconds),
        gitops_grace: seconds(remediation.git_ops_grace_seconds),
        restart_on_recovery: remediation.restart_on_dependency_recovery,
        windows: remediation.windows.iter().map(window).collect(),
    }
}

/// A window whose time or zone cannot be read never opens: better no action than one at the wrong hour.
fn window(window: &api::HealingWindow) -> Window {
    let time = |text: &str| civil::Time::strptime("%H:%M", text).ok();
    let read = time(&window.start).zip(time(&window.end)).zip(TimeZone::get(&window.time_zone).ok());
    let days = window.days.iter().map(|day| weekday(*day)).collect();
    match read {
        Some(((start, end), zone)) => Window { days, start, end, zone },
        None => Window { days, start: civil::Time::midnight(), end: civil::Time::midnight(), zone: TimeZone::UTC },
    }
}

fn weekday(day: api::Weekday) -> civil::Weekday {
    match day {
        api::Weekday::Mon => civil::Weekday::Monday,
        api::Weekday::Tue => civil::Weekday::Tuesday,
        api::Weekday::Wed => civil::Weekday::Wednesday,
        api::Weekday::Thu => civil::Weekday::Thursday,
        api::Weekday::Fri => civil::Weekday::Friday,
        api::Weekday::Sat => civil::Weekday::Saturday,
        api::Weekday::Sun => civil::Weekday::Sunday,
    }
}

fn breaker_policy(breaker: &api::CircuitBreaker) -> BreakerPolicy {
    BreakerPolicy {
        failure_threshold: count(breaker.failure_threshold),
        window: seconds(breaker.window_seconds),
        recurrence_threshold: count(breaker.recurrence.threshold),
        recurrence_window: seconds(breaker.recurrence.window_seconds),
        open: seconds(breaker.open_seconds),
        max_open: seconds(breaker.max_open_seconds),
        latch_after: count(breaker.latch_after),
        on_open: on_open(&breaker.on_open),
    }
}

/// A fallback without its stand-in, which the rules refuse, is none.
fn on_open(on_open: &api::OnOpen) -> OnOpen {
    match (on_open.action, &on_open.fallback) {
        (api::OnOpenAction::Hold, _) | (api::OnOpenAction::Fallback, None) => OnOpen::Hold,
        (api::OnOpenAction::ScaleToZero, _) => OnOpen::ScaleToZero,
        (api::OnOpenAction::Fallback, Some(fallback)) => {
            OnOpen::Fallback { service: fallback.service_name.clone(), selector: fallback.selector.clone() }
        }
    }
}

fn seconds(value: i32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(value.max(0)))
}

fn count(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}
