//! Ceilings: what no service may exceed, whatever it or its policy says.
//!
//! What is beyond a ceiling is cut off, and said. Settings that would hammer against a ceiling, or that it would keep from
//! ever stopping, are refused instead.

use crate::policy::store::Name;
use crate::{
    api::{Ceilings, HealingSettings, OnOpen, OnOpenAction, Step},
    base::ReceiverHosts,
    policy::translate,
};
use kubeheal_core::{
    action_rate::{actions_in_an_hour, can_open},
    model::{
        policy::{Ceiling, ClusterPolicy, Policy},
        reason::{Block, Reason},
    },
};

/// What ceilings did to settings.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The tightest limit of actions.
    pub(super) ceiling: Option<Ceiling>,
    /// Where receivers of alerts may be.
    pub(super) receiver_hosts: ReceiverHosts,
    /// What was cut, as the status says it.
    pub(super) cuts: Vec<String>,
    /// The same as sentences.
    pub(super) sentences: Vec<String>,
}

/// Holds settings to every ceiling.
pub(super) fn hold(settings: &mut HealingSettings, ceilings: &[(Name, &Ceilings)]) -> Held {
    let (mut held, mut hosts) = (Held::default(), Vec::new());
    for (name, Ceilings { max_actions_per_hour, allowed_steps, allowed_on_open, allowed_receiver_hosts }) in ceilings {
        cut_ladder(settings, name, allowed_steps, &mut held);
        cut_on_open(settings, name, allowed_on_open, &mut held);
        if !allowed_receiver_hosts.is_empty() {
            hosts.push((name.to_string(), allowed_receiver_hosts.clone()));
        }
        let allowed = max_actions_per_hour.and_then(|actions| u32::try_from(actions).ok());
        if let Some(actions_per_hour) = allowed
            && held.ceiling.as_ref().is_none_or(|known| actions_per_hour < known.actions_per_hour)
        {
            held.ceiling = Some(Ceiling { actions_per_hour, set_by: name.to_string() });
        }
    }
    held.receiver_hosts = hosts.into_iter().collect();
    held
}

fn cut_ladder(settings: &mut HealingSettings, name: &Name, allowed: &[Step], held: &mut Held) {
    let ladder = &mut settings.remediation.ladder;
    let cut: Vec<String> = ladder
        .iter()
        .filter(|step| !allowed.is_empty() && !allowed.contains(step))
        .map(|step| format!("{step:?}"))
        .collect();
    if cut.is_empty() {
        return;
    }
    ladder.retain(|step| allowed.contains(step));
    held.cuts.push(format!("remediation.ladder: ceilings of {name}"));
    held.sentences.push(format!("{name} does not allow the step {}", cut.join(", ")));
}

fn cut_on_open(settings: &mut HealingSettings, name: &Name, allowed: &[OnOpenAction], held: &mut Held) {
    let action = settings.circuit_breaker.on_open.action;
    if allowed.is_empty() || action == OnOpenAction::Hold || allowed.contains(&action) {
        return;
    }
    settings.circuit_breaker.on_open = OnOpen::default();
    held.cuts.push(format!("circuitBreaker.onOpen: ceilings of {name}"));
    held.sentences.push(format!("{name} does not allow {action:?} while the circuit is open: Hold is done"));
}

/// Why these settings cannot live under a ceiling, if so. The built-in defaults always can: they are held to it, not
/// refused, and so is everything that acts no oftener than they do.
pub(super) fn refusal(policy: &Policy) -> Option<Block> {
    let Ceiling { actions_per_hour, set_by } = policy.ceiling.as_ref()?;
    if !can_open(&policy.breaker, *actions_per_hour) {
        let message = format!(
            "{set_by} allows {actions_per_hour} actions an hour, so the circuit could never open: lower \
             circuitBreaker.failureThreshold or circuitBreaker.recurrence.threshold, or widen their windows"
        );
        return Some(Block::new(Reason::PolicyInvalid, message));
    }
    let wanted = actions_in_an_hour(policy);
    let usual = actions_in_an_hour(&translate(&HealingSettings::default(), &ClusterPolicy::default()));
    (wanted > (*actions_per_hour).max(usual)).then(|| {
        let message = format!(
            "these settings can act {wanted} times in an hour, {set_by} allows {actions_per_hour}: raise \
             remediation.backoff, remediation.stabilizationSeconds, remediation.resetAfterHealthySeconds or \
             circuitBreaker.openSeconds, lower circuitBreaker.recurrence.threshold, or leave out \
             remediation.restartOnDependencyRecovery"
        );
        Block::new(Reason::PolicyInvalid, message)
    })
}
