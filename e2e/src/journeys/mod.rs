//! The journeys: what goes wrong, and what must come of it.

mod breaker;
mod control;
mod gone;
mod held;
mod sick;
mod unfixable;

use std::pin::Pin;

use crate::{failure::Result, stage::Stage};

/// A journey that is under way.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// One journey.
#[derive(Clone, Copy)]
pub(crate) struct Journey {
    /// Its name, part of its namespace.
    pub(crate) name: &'static str,
    /// What must be true.
    pub(crate) what: &'static str,
    /// How many controllers it wants, where they are ours to start.
    pub(crate) controllers: u8,
    /// Begins it.
    pub(crate) begin: for<'a> fn(&'a Stage) -> Running<'a>,
}

macro_rules! journey {
    ($name:literal, $what:literal, $run:path) => {
        Journey { name: $name, what: $what, controllers: 1, begin: |stage| Box::pin($run(stage)) }
    };
}

/// All of them.
pub(crate) const JOURNEYS: [Journey; 18] = [
    journey!("crash-loop", "a pod that crashes again and again is replaced", sick::crash_loop),
    journey!("liveness", "a pod that fails its liveness probe again and again is replaced", sick::liveness),
    journey!("startup", "a pod that does not start any more is replaced", sick::startup),
    journey!("readiness", "a pod that stays unready is replaced", sick::readiness),
    journey!("out-of-memory", "a pod that runs out of memory again and again is replaced", sick::out_of_memory),
    journey!("image", "a wrong image is named, and no pod is touched", unfixable::image),
    journey!("config", "a missing ConfigMap is named, and no pod is touched", unfixable::config),
    journey!("removed-pod", "a pod comes back: by its controller, or by kubeheal where it has none", gone::pod),
    journey!("removed-workload", "a workload that was removed is created again", gone::workload),
    journey!("scaled-to-zero", "a workload that was scaled to zero is left alone", gone::scaled_to_zero),
    journey!("dependency", "who depends on a dead service is held still and not charged", held::dependency),
    journey!("breaker", "the breaker opens, tries once, and closes when all is well", breaker::opens_and_closes),
    journey!("storm", "when many are unhealthy at once, nobody is touched", held::storm),
    journey!("webhook", "while a webhook lets no pod in, it is named and nothing is taken away", held::webhook),
    journey!("observe", "who is only observed is reported on and never touched", held::observe),
    journey!("policy", "a change of the policy applies at once", held::policy),
    Journey {
        controllers: 2,
        ..journey!(
            "failover",
            "when the leader dies, another one goes on, and nothing is done twice",
            control::failover
        )
    },
    journey!("uninstall", "without kubeheal the workloads are as they were, and nothing hangs", control::uninstall),
];
