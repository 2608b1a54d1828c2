//! What a replay prints: one line whenever what kubeheal says changes.

use kubeheal_core::model::{
    decision::Decision,
    policy::Mode,
    reason::{Block, Reason},
};
use serde::Serialize;
use serde_json::Number;

/// What kubeheal says at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View {
    health: &'static str,
    findings: Vec<Finding>,
    plan: Vec<Step>,
    breaker: &'static str,
    blocked_by: Vec<Held>,
}

/// The same, with the seconds since the recording began.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    /// When.
    pub(crate) t: Number,
    /// What.
    #[serde(flatten)]
    pub(crate) view: &'a View,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Finding {
    pod: String,
    container: String,
    probe: Option<&'static str>,
    cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Step {
    step: &'static str,
    target: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Held {
    reason: &'static str,
    message: String,
}

impl View {
    /// What a decision says. The decision was made without the right to act: what it proposes and nothing holds back is
    /// the plan, unless the service's own mode is to observe.
    pub(crate) fn of(decision: &Decision, own_mode: Mode) -> Self {
        let mut blocks = decision.blocked_by().to_vec();
        if own_mode == Mode::Observe && decision.proposal().is_some() {
            blocks.push(Block::new(Reason::Observing, "mode is Observe: decisions are reported, not carried out"));
        }
        let planned = decision.proposal().into_iter().filter(|_| blocks.is_empty());
        Self {
            health: decision.verdict.health.as_str(),
            findings: decision
                .findings
                .iter()
                .map(|finding| Finding {
                    pod: finding.place.object().to_owned(),
                    container: finding.place.container().unwrap_or_default().to_owned(),
                    probe: finding.probe.map(kubeheal_core::model::cause::Probe::as_str),
                    cause: finding.cause.as_str(),
                })
                .collect(),
            plan: planned
                .map(|plan| Step { step: plan.action.step.as_str(), target: plan.action.target.clone() })
                .collect(),
            breaker: decision.state.circuit.state().as_str(),
            blocked_by: blocks
                .into_iter()
                .map(|block| Held { reason: block.reason.as_str(), message: block.message })
                .collect(),
        }
    }
}

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let View { health, findings, plan, breaker, blocked_by } = self.view;
        write!(formatter, "{:>9.3}s  {health:<9}", self.t.as_f64().unwrap_or_default())?;
        for Finding { pod, container, probe, cause } in findings {
            let place = [pod.as_str(), container.as_str()].into_iter().filter(|part| !part.is_empty());
            write!(formatter, "  {cause} {}", place.collect::<Vec<_>>().join("/"))?;
            if let Some(probe) = probe {
                write!(formatter, " ({probe} probe)")?;
            }
        }
        for Step { step, target } in plan {
            write!(formatter, "  → {step} {target}")?;
        }
        if *breaker != "Closed" {
            write!(formatter, "  breaker {breaker}")?;
        }
        for Held { reason, message } in blocked_by {
            write!(formatter, "  held: {reason} ({message})")?;
        }
        Ok(())
    }
}
