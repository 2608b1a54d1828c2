//! The queue as client-go's workqueue shows itself, read when somebody asks.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};

use crate::controller::queue::Queue;

/// The queue to read; none before the controller has made one.
#[derive(Debug, Default, Clone)]
pub(super) struct Work {
    queue: Arc<OnceLock<Arc<Queue>>>,
}

impl Work {
    /// Reads this queue from now on. A process has one.
    pub(super) fn follow(&self, queue: Arc<Queue>) {
        let _second = self.queue.set(queue);
    }
}

impl Collector for Work {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(queue) = self.queue.get() else { return Ok(()) };
        let labels = [("name", super::CONTROLLER)];
        let depth = ConstGauge::new(i64::try_from(queue.depth()).unwrap_or(i64::MAX));
        let mut family =
            encoder.encode_descriptor("workqueue_depth", "Services due for a reconcile", None, depth.metric_type())?;
        depth.encode(family.encode_family(&labels)?)?;
        let slowest = ConstGauge::new(queue.slowest().map_or(0.0, |(_, took)| took.as_secs_f64()));
        let mut family = encoder.encode_descriptor(
            "workqueue_longest_running_processor_seconds",
            "Seconds the longest reconcile under way has taken",
            None,
            MetricType::Gauge,
        )?;
        slowest.encode(family.encode_family(&labels)?)
    }
}
