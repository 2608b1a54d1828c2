//! What applies to one service, and where it comes from.

use std::sync::Arc;

use serde_json::json;

use crate::policy::{
    ceiling,
    merge::{Layered, merge},
    store::{PolicyStore, Standing},
    translate::{translate, without_effect},
};
use crate::{
    api::{
        self, AsWritten, Dependency, HealedService, HealingSettings, OnOpen, OnOpenAction, ReceiverType,
        contradictions,
        status::{EffectivePolicy, MAX_OVERRIDES},
    },
    base::{Key, ReceiverHosts, digest, target_of},
    diagnosis::Rules,
};
use kubeheal_core::model::{
    alert::Receiver,
    policy::Policy,
    reason::{Block, Reason},
    snapshot::WorkloadKind,
};

/// Problems named in one sentence.
const MAX_PROBLEMS: usize = 3;

/// What applies to one service.
#[derive(Debug, Clone)]
pub struct Effective {
    /// All settings, defaults filled in, for what is not decided but done: alerts, diagnosis, dependencies.
    pub settings: HealingSettings,
    /// The same for deciding.
    pub policy: Policy,
    /// The rules that name root causes, compiled.
    pub rules: Rules,
    /// Who is told of alarms.
    pub receivers: Arc<[Receiver]>,
    /// Where they may be.
    pub receiver_hosts: ReceiverHosts,
    /// What the status says of it.
    pub shown: EffectivePolicy,
    /// What people should know of it, as sentences.
    pub warnings: Vec<String>,
}

impl Effective {
    /// The service's own fields over those of its policy, inside the ceilings.
    pub fn of(key: &Key, service: &HealedService, policies: &PolicyStore) -> Self {
        let spec = &service.spec;
        let Resolved { written, from, held } = stand(&key.0, spec, policies);
        let held = held.or_else(|| contradiction(&written.written, from.as_deref()));
        // What cannot be understood as a whole is still watched by what the service says itself.
        let settings = written.written.settings().or_else(|_| spec.settings.settings());
        let mut settings = settings.unwrap_or_default();
        leave_out_what_does_not_apply(&mut settings, &written.inherited, key, target_of(service).0);

        let ceilings = ceiling::hold(&mut settings, &policies.ceilings(spec));
        let mut policy = translate(&settings, &policies.limits());
        policy.ceiling = ceilings.ceiling;
        policy.held = held.or_else(|| policies.unread_limits()).or_else(|| ceiling::refusal(&policy));

        let allowed = policy.ceiling.as_ref().map(|ceiling| ceiling.actions_per_hour);
        let digest = digest(&json!([settings, allowed]));
        let inherited = written.inherited.iter().zip(from.iter().cycle());
        let inherited = inherited.map(|(field, from)| format!("{field}: {from}"));
        let overrides = inherited.chain(ceilings.cuts).take(MAX_OVERRIDES).collect();
        let idle = without_effect(&settings).into_iter().collect();
        let warnings = [idle, policies.warnings(), ceilings.sentences].concat();
        let rules = Rules::compile(&settings.diagnosis.rules);
        let receivers = settings.alerts.receivers.iter().map(|written| receiver(&key.0, written)).collect();
        let receiver_hosts = ceilings.receiver_hosts;
        Self {
            settings,
            policy,
            rules,
            receivers,
            receiver_hosts,
            shown: EffectivePolicy { digest, overrides },
            warnings,
        }
    }

    /// Whether everything is as it was.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        // The compiled rules and the receivers follow from the settings.
        let Self { settings, policy, rules: _, receivers: _, receiver_hosts, shown, warnings } = self;
        *settings == other.settings
            && *policy == other.policy
            && *receiver_hosts == other.receiver_hosts
            && *shown == other.shown
            && *warnings == other.warnings
    }
}

/// What deciding needs to know of a receiver. A Secret is one of the namespace; an address is the same from everywhere.
fn receiver(namespace: &str, written: &api::Receiver) -> Receiver {
    let api::Receiver { name, type_, url, url_from, hmac_from, routing_key_from } = written;
    let of_namespace = [url_from, hmac_from, routing_key_from].into_iter().any(Option::is_some).then_some(namespace);
    Receiver {
        name: name.clone(),
        destination: digest(&json!([type_, url, of_namespace, url_from, hmac_from, routing_key_from])),
        kept_alive: *type_ == ReceiverType::Alertmanager,
    }
}

/// A service with its policy behind it.
struct Resolved {
    written: Layered,
    from: Option<String>,
    held: Option<Block>,
}

fn stand(namespace: &str, spec: &api::HealedServiceSpec, policies: &PolicyStore) -> Resolved {
    let alone = || Layered { written: spec.settings.clone(), inherited: Vec::new() };
    match policies.choose(namespace, spec) {
        Standing::Nobodys => Resolved { written: alone(), from: None, held: None },
        Standing::Withheld(block) => Resolved { written: alone(), from: None, held: Some(block) },
        Standing::Of(name, template) => {
            Resolved { written: merge(&spec.settings, template), from: Some(name.to_string()), held: None }
        }
    }
}

/// What is right in each object can contradict itself in both together.
fn contradiction(written: &AsWritten, from: Option<&str>) -> Option<Block> {
    let problems = contradictions(written);
    let told: Vec<_> = problems.iter().take(MAX_PROBLEMS).map(ToString::to_string).collect();
    let whose = from.map_or_else(|| "spec".to_owned(), |from| format!("spec over {from}"));
    (!told.is_empty()).then(|| Block::new(Reason::PolicyInvalid, format!("{whose}: {}", told.join("; "))))
}

/// A policy is for many services, and not everything in it fits each of them.
fn leave_out_what_does_not_apply(settings: &mut HealingSettings, inherited: &[String], key: &Key, kind: WorkloadKind) {
    let is_inherited = |field: &str| inherited.iter().any(|path| path == field);
    let on_open = &mut settings.circuit_breaker.on_open;
    if on_open.action == OnOpenAction::ScaleToZero && !kind.is_scalable() && is_inherited("circuitBreaker.onOpen") {
        *on_open = OnOpen::default();
    }
    // What everybody depends on does not depend on itself, nor on what else everybody depends on.
    let names_us =
        |one: &Dependency| one.name == key.1 && one.namespace.as_ref().is_none_or(|namespace| *namespace == key.0);
    if is_inherited("dependsOn") && settings.depends_on.iter().any(names_us) {
        settings.depends_on.clear();
    }
}
