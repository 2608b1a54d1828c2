//! The queue as client-go's workqueue shows itself, read when somebody asks.

use std::sync::{Arc, OnceLock};

use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};

use super::{CONTROLLER, gauges, registered};
use crate::controller::queue::Queue;

/// The queue to read; none before the controller has made one.
#[derive(Debug)]
pub(super) struct Work {
    queue: OnceLock<Arc<Queue>>,
    depth: IntGaugeVec,
    longest: GaugeVec,
}

impl Work {
    pub(super) fn register(registry: &Registry) -> Self {
        let name = "workqueue_longest_running_processor_seconds";
        let longest = Opts::new(name, "Seconds the longest reconcile under way has taken");
        Self {
            queue: OnceLock::new(),
            depth: gauges(registry, "workqueue_depth", "Services due for a reconcile", &["name"]),
            longest: registered(registry, GaugeVec::new(longest, &["name"])),
        }
    }

    /// Reads this queue from now on. A process has one.
    pub(super) fn follow(&self, queue: Arc<Queue>) {
        let _second = self.queue.set(queue);
    }

    /// Shows the queue as it is now.
    pub(super) fn refresh(&self) {
        let Some(queue) = self.queue.get() else { return };
        let depth = i64::try_from(queue.depth()).unwrap_or(i64::MAX);
        self.depth.with_label_values(&[CONTROLLER]).set(depth);
        let longest = queue.slowest().map_or(0.0, |(_, took)| took.as_secs_f64());
        self.longest.with_label_values(&[CONTROLLER]).set(longest);
    }
}
