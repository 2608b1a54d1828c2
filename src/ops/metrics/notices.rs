//! Metrics of what is told: alerts, by kind of receiver, and Events.

use prometheus::{IntCounter, IntCounterVec, Registry};
use strum::VariantArray as _;

use super::{counters, registered};
use crate::api::ReceiverType;

/// What became of an alert, or of one attempt to send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum AlertResult {
    /// The receiver has it.
    Sent,
    /// The attempt failed; there will be another one.
    Failed,
    /// It gave way to newer ones.
    Dropped,
}

impl AlertResult {
    fn as_str(self) -> &'static str {
        self.into()
    }
}

#[derive(Debug)]
pub(super) struct Notices {
    alerts: IntCounterVec,
    events_dropped: IntCounter,
}

impl Notices {
    /// All series exist from the start, so that the first increase is seen as one.
    pub(super) fn register(registry: &Registry) -> Self {
        let help = "Alerts to receivers, by what became of them";
        let alerts = counters(registry, "kubeheal_alerts_total", help, &["type", "result"]);
        for kind in ReceiverType::VARIANTS {
            for result in AlertResult::VARIANTS {
                alerts.with_label_values(&[kind.as_str(), result.as_str()]);
            }
        }
        let help = "Events that were not written because a service had too many of them, or all together";
        let events_dropped = registered(registry, IntCounter::new("kubeheal_events_dropped_total", help));
        Self { alerts, events_dropped }
    }

    pub(super) fn alerted(&self, kind: ReceiverType, result: AlertResult) {
        self.alerts.with_label_values(&[kind.as_str(), result.as_str()]).inc();
    }

    pub(super) fn event_dropped(&self) {
        self.events_dropped.inc();
    }
}
