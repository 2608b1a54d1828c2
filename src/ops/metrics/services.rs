//! The series of single services, written from what was last decided about each, so that none outlives its service.

use std::collections::{BTreeMap, BTreeSet};

use kubeheal_core::model::{
    condition::{ConditionType, Truth},
    reason::Reason,
    state::CircuitState,
};
use parking_lot::{Mutex, MutexGuard};
use prometheus::{IntGaugeVec, Registry};

use super::gauges;
use crate::base::Key;

/// What was last decided about each service.
#[derive(Debug)]
pub(super) struct Services {
    shown: Mutex<BTreeMap<Key, Shown>>,
    circuits: IntGaugeVec,
    conditions: IntGaugeVec,
    held_back: IntGaugeVec,
    undelivered: IntGaugeVec,
}

/// What is shown of one service.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) circuit: CircuitState,
    pub(super) conditions: Vec<(ConditionType, Truth)>,
    pub(super) held_back: BTreeSet<Reason>,
    /// Receivers of alerts that cannot be told.
    pub(super) undelivered: usize,
}

impl Services {
    pub(super) fn register(registry: &Registry) -> Self {
        let family = |name: &str, help: &str, labels: &[&str]| gauges(registry, name, help, labels);
        let service = ["namespace", "name"];
        let with = |more: &[&'static str]| [service.as_slice(), more].concat();
        Self {
            shown: Mutex::default(),
            circuits: {
                let help = "1 for the state the circuit breaker is in";
                family("kubeheal_circuit_breaker_state", help, &with(&["state"]))
            },
            conditions: {
                let help = "1 for the status a condition has";
                family("kubeheal_status_condition", help, &with(&["type", "status"]))
            },
            held_back: {
                let help = "1 for each reason that holds a repair back at this moment";
                family("kubeheal_held_back", help, &with(&["reason"]))
            },
            undelivered: {
                let help = "Receivers of alerts that cannot be told of what is wrong";
                family("kubeheal_alerts_undelivered", help, &service)
            },
        }
    }

    pub(super) fn show(&self, key: Key, shown: Shown) {
        self.shown.lock().insert(key, shown);
    }

    pub(super) fn forget(&self, key: &Key) {
        self.shown.lock().remove(key);
    }

    pub(super) fn forget_all(&self) {
        self.shown.lock().clear();
    }

    /// Writes all series anew. Nobody else may until what is returned is dropped.
    pub(super) fn refresh(&self) -> impl Drop + '_ {
        let shown: MutexGuard<'_, BTreeMap<Key, Shown>> = self.shown.lock();
        for family in [&self.circuits, &self.conditions, &self.held_back, &self.undelivered] {
            family.reset();
        }
        for ((namespace, name), service) in &*shown {
            let of = |family: &IntGaugeVec, more: &[&str], value: i64| {
                let labels = [&[namespace.as_str(), name.as_str()], more].concat();
                family.with_label_values(&labels).set(value);
            };
            for state in [CircuitState::Closed, CircuitState::Open, CircuitState::HalfOpen] {
                of(&self.circuits, &[state.as_str()], i64::from(state == service.circuit));
            }
            for (kind, status) in &service.conditions {
                for truth in [Truth::True, Truth::False, Truth::Unknown] {
                    of(&self.conditions, &[kind.as_str(), truth.as_str()], i64::from(truth == *status));
                }
            }
            for reason in &service.held_back {
                of(&self.held_back, &[reason.as_str()], 1);
            }
            of(&self.undelivered, &[], i64::try_from(service.undelivered).unwrap_or(i64::MAX));
        }
        shown
    }
}
