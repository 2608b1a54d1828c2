//! The gate: every reason not to take a step now that does not depend on what the step is for.
//!
//! Only reads; the reasons that belong to one step stand where it is proposed.

mod budgets;
mod circuit;
mod ownership;
mod pause;
mod replacement;
mod windows;

pub use self::{budgets::paused, ownership::older_service};
use crate::{
    diagnose::ContainerContext,
    model::{
        fleet::Fleet,
        inputs::Inputs,
        plan::{Charge, Plan, Step},
        reason::{Block, Reason},
        state::State,
    },
    observe::Observed,
};

/// What a step that is proposed is held against.
#[derive(Debug, Clone, Copy)]
pub struct Gate<'a> {
    /// Policy, snapshot and moment.
    pub inputs: &'a Inputs<'a>,
    /// What is known.
    pub observed: &'a Observed,
    /// All services, this one as it is now.
    pub fleet: &'a Fleet,
    /// A person wants something done now.
    pub requested: bool,
}

impl Gate<'_> {
    /// What holds the step back whatever was tried before: settings, dependencies, doubt, owners, a repair in flight.
    pub fn standing(&self, plan: &Plan, state: &State) -> Vec<Block> {
        let Inputs { policy, snapshot, moment } = *self.inputs;
        let mut blocks: Vec<Block> = policy.held.iter().cloned().collect();
        if snapshot.service.deleting {
            blocks.push(Block::new(Reason::ServiceDeleting, "the HealedService or its namespace is being deleted"));
        }
        blocks.extend(self.observed.dependencies.held.iter().filter(|_| !gives_back(plan)).cloned());
        let context = ContainerContext::new(self.inputs, state);
        let unproven = state.attempts.unproven.as_ref();
        let doubt = replacement::doubt(&context, (&self.observed.workload, &snapshot.pods), unproven, plan);
        blocks.extend(doubt);
        blocks.extend(ownership::owned_by_another(&snapshot.ownership, moment));
        if let Some(in_flight) = &state.attempts.in_flight {
            let (step, target) = (in_flight.action.step.as_str(), &in_flight.action.target);
            blocks.push(Block::new(Reason::ActionInFlight, format!("{step} of {target} is being verified")));
        }
        blocks
    }

    /// What holds the step back because of what was tried before, here and elsewhere.
    pub fn limits(&self, plan: &Plan, state: &State) -> Vec<Block> {
        let Inputs { policy, moment, .. } = *self.inputs;
        let mut blocks = Vec::new();
        if plan.charge == Charge::Attempt {
            let attempts = &state.attempts;
            blocks.extend(circuit::is_open(&policy.breaker, &state.circuit));
            blocks.extend(budgets::at_ceiling(policy.ceiling.as_ref(), attempts, moment));
            let pause = pause::goes_on(attempts, self.requested, moment);
            blocks.extend(pause.or_else(|| pause::spacing(attempts, moment)));
        }
        blocks.extend(budgets::of_cluster(&policy.cluster, self.fleet, moment));
        blocks.extend(windows::outside(&policy.remediation.windows, moment));
        blocks
    }
}

/// It only takes back what we did ourselves.
fn gives_back(plan: &Plan) -> bool {
    match plan.action.step {
        Step::RestoreReplicas | Step::RestoreSelector => plan.charge == Charge::Nothing,
        Step::RestartPod | Step::RecreateWorkload | Step::Rollback | Step::ScaleToZero | Step::UseFallback => false,
    }
}
