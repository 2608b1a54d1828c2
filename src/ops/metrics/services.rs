//! The series of single services, written from what was last decided about each, so that none outlives its service.

use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

use crate::base::Key;
use kubeheal_core::model::{
    condition::{ConditionType, Truth},
    reason::Reason,
    state::CircuitState,
};

/// What was last decided about each service.
#[derive(Debug, Default, Clone)]
pub(super) struct Services {
    shown: Arc<Mutex<BTreeMap<Key, Shown>>>,
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
    pub(super) fn show(&self, key: Key, shown: Shown) {
        self.lock().insert(key, shown);
    }

    pub(super) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Shown>> {
        self.shown.lock()
    }
}

impl Collector for Services {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let shown = self.lock();
        let help = "1 for the state the circuit breaker is in";
        let mut family = encoder.encode_descriptor("kubeheal_circuit_breaker_state", help, None, MetricType::Gauge)?;
        for ((namespace, name), service) in &*shown {
            for state in [CircuitState::Closed, CircuitState::Open, CircuitState::HalfOpen] {
                let labels = [("namespace", namespace.as_str()), ("name", name.as_str()), ("state", state.as_str())];
                family.encode_family(&labels)?.encode_gauge(&i64::from(state == service.circuit))?;
            }
        }
        let help = "1 for the status a condition has";
        let mut family = encoder.encode_descriptor("kubeheal_status_condition", help, None, MetricType::Gauge)?;
        for ((namespace, name), service) in &*shown {
            for (kind, status) in &service.conditions {
                for truth in [Truth::True, Truth::False, Truth::Unknown] {
                    let labels = [
                        ("namespace", namespace.as_str()),
                        ("name", name.as_str()),
                        ("type", kind.as_str()),
                        ("status", truth.as_str()),
                    ];
                    family.encode_family(&labels)?.encode_gauge(&i64::from(truth == *status))?;
                }
            }
        }
        let help = "1 for each reason that holds a repair back at this moment";
        let mut family = encoder.encode_descriptor("kubeheal_held_back", help, None, MetricType::Gauge)?;
        for ((namespace, name), service) in &*shown {
            for reason in &service.held_back {
                let labels = [("namespace", namespace.as_str()), ("name", name.as_str()), ("reason", reason.as_str())];
                family.encode_family(&labels)?.encode_gauge(&1)?;
            }
        }
        let help = "Receivers of alerts that cannot be told of what is wrong";
        let mut family = encoder.encode_descriptor("kubeheal_alerts_undelivered", help, None, MetricType::Gauge)?;
        for ((namespace, name), service) in &*shown {
            let receivers = i64::try_from(service.undelivered).unwrap_or(i64::MAX);
            let labels = [("namespace", namespace.as_str()), ("name", name.as_str())];
            family.encode_family(&labels)?.encode_gauge(&receivers)?;
        }
        Ok(())
    }
}
