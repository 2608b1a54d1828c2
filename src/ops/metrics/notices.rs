//! Metrics of what is told: alerts, by kind of receiver, and Events.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

use crate::api::ReceiverType;
use crate::ops::metrics::Counters;

/// What became of an alert, or of one attempt to send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertResult {
    /// The receiver has it.
    Sent,
    /// The attempt failed; there will be another one.
    Failed,
    /// It gave way to newer ones.
    Dropped,
}

impl AlertResult {
    const ALL: [Self; 3] = [Self::Sent, Self::Failed, Self::Dropped];

    fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Notices {
    alerts: Counters<2>,
    events_dropped: Counter,
}

impl Notices {
    /// All series exist from the start, so that the first increase is seen as one.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let notices = Self::default();
        registry.register("kubeheal_alerts", "Alerts to receivers, by what became of them", notices.alerts.clone());
        let help = "Events that were not written because a service had too many of them, or all together";
        registry.register("kubeheal_events_dropped", help, notices.events_dropped.clone());
        for kind in ReceiverType::ALL {
            for result in AlertResult::ALL {
                drop(notices.alerts.get_or_create(&[("type", kind.as_str()), ("result", result.as_str())]));
            }
        }
        notices
    }

    pub(super) fn alerted(&self, kind: ReceiverType, result: AlertResult) {
        self.alerts.get_or_create(&[("type", kind.as_str()), ("result", result.as_str())]).inc();
    }

    pub(super) fn event_dropped(&self) {
        self.events_dropped.inc();
    }
}
