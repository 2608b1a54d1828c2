//! The policy objects that are known, and which of them a service follows.
//!
//! One policy stands behind a service: the one it names, else its namespace's default, else the cluster's. A named one that
//! cannot be had is never replaced by another: nobody knows what it would have forbidden.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    sync::Arc,
};

use jiff::SignedDuration;

use crate::{
    api::{
        AsWritten, Ceilings, ClusterHealingPolicy, ClusterLimits, DEFAULT_POLICY, HealedServiceSpec, HealingPolicy,
        PolicyKind, PolicyRef, Storm,
    },
    base::Key,
};
use kubeheal_core::model::{
    policy::ClusterPolicy,
    reason::{Block, Reason},
};

/// The policy objects that are known.
#[derive(Debug, Default)]
pub struct PolicyStore {
    namespaced: BTreeMap<Key, Arc<HealingPolicy>>,
    cluster: BTreeMap<String, Arc<ClusterHealingPolicy>>,
    unreadable: BTreeMap<PolicyKind, String>,
    undecoded: BTreeMap<(PolicyKind, Key), String>,
}

/// Names a policy for people: `HealingPolicy/careful`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(PolicyKind, String);

impl Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", word(self.0), self.1)
    }
}

/// The policy that stands behind a service.
#[derive(Debug)]
pub(super) enum Standing<'a> {
    /// None does.
    Nobodys,
    /// This one.
    Of(Name, &'a AsWritten),
    /// One that is named and cannot be had.
    Withheld(Block),
}

impl PolicyStore {
    /// Takes in a new or changed policy of a namespace.
    pub fn put(&mut self, key: Key, policy: Arc<HealingPolicy>) {
        self.undecoded.remove(&(PolicyKind::HealingPolicy, key.clone()));
        self.namespaced.insert(key, policy);
    }

    /// Takes in a new or changed policy of the cluster.
    pub fn put_cluster(&mut self, name: String, policy: Arc<ClusterHealingPolicy>) {
        self.undecoded.remove(&(PolicyKind::ClusterHealingPolicy, (String::new(), name.clone())));
        self.cluster.insert(name, policy);
    }

    /// Takes note of a policy that is there and cannot be read.
    pub fn put_undecoded(&mut self, kind: PolicyKind, key: Key, why: String) {
        self.undecoded.insert((kind, key), why);
    }

    /// Forgets a policy that is gone. The namespace of one of the cluster is empty.
    pub fn remove(&mut self, kind: PolicyKind, key: &Key) {
        self.undecoded.remove(&(kind, key.clone()));
        match kind {
            PolicyKind::HealingPolicy => drop(self.namespaced.remove(key)),
            PolicyKind::ClusterHealingPolicy => drop(self.cluster.remove(&key.1)),
        }
    }

    /// Whether policies of a kind can be read at all, and if not, why. Returns whether that is news.
    pub fn readable(&mut self, kind: PolicyKind, problem: Option<String>) -> bool {
        match problem {
            Some(why) => self.unreadable.insert(kind, why.clone()) != Some(why),
            None => self.unreadable.remove(&kind).is_some(),
        }
    }

    /// Whether a service of this namespace follows the policy of that name.
    pub fn concerns(&self, namespace: &str, spec: &HealedServiceSpec, kind: PolicyKind, key: &Key) -> bool {
        let named = spec.policy_ref.as_ref().is_some_and(|named| named.kind == kind && named.name == key.1);
        let is_default = key.1 == DEFAULT_POLICY;
        match kind {
            PolicyKind::HealingPolicy => key.0 == namespace && (named || (is_default && spec.policy_ref.is_none())),
            // Its ceilings and the limits of the cluster are everybody's.
            PolicyKind::ClusterHealingPolicy => named || is_default,
        }
    }

    /// The policy that stands behind a service of this namespace.
    pub(super) fn choose(&self, namespace: &str, spec: &HealedServiceSpec) -> Standing<'_> {
        if let Some(PolicyRef { kind, name }) = &spec.policy_ref {
            let found = self.template(*kind, namespace, name);
            return found.map_or_else(
                || Standing::Withheld(self.withheld(*kind, namespace, name)),
                |found| Standing::Of(Name(*kind, name.clone()), found),
            );
        }
        [PolicyKind::HealingPolicy, PolicyKind::ClusterHealingPolicy]
            .into_iter()
            .find_map(|kind| {
                if let Some(block) = self.unread(kind, namespace, DEFAULT_POLICY) {
                    return Some(Standing::Withheld(block));
                }
                let template = self.template(kind, namespace, DEFAULT_POLICY)?;
                Some(Standing::Of(Name(kind, DEFAULT_POLICY.to_owned()), template))
            })
            .unwrap_or(Standing::Nobodys)
    }

    fn template(&self, kind: PolicyKind, namespace: &str, name: &str) -> Option<&AsWritten> {
        match kind {
            PolicyKind::HealingPolicy => {
                self.namespaced.get(&(namespace.to_owned(), name.to_owned())).map(|policy| &policy.spec.template)
            }
            PolicyKind::ClusterHealingPolicy => self.cluster.get(name).map(|policy| &policy.spec.template),
        }
    }

    fn withheld(&self, kind: PolicyKind, namespace: &str, name: &str) -> Block {
        if let Some(block) = self.unread(kind, namespace, name) {
            return block;
        }
        let named = Name(kind, name.to_owned());
        if let Some(why) = self.unreadable.get(&kind) {
            return Block::new(Reason::PolicyUnknown, format!("{named}, which policyRef names, cannot be read: {why}"));
        }
        let place = match kind {
            PolicyKind::HealingPolicy => format!(" in namespace {namespace}"),
            PolicyKind::ClusterHealingPolicy => String::new(),
        };
        let message = format!("policyRef names {named}, which does not exist{place}: create it, or change policyRef");
        Block::new(Reason::PolicyNotFound, message)
    }

    /// Nobody knows what a policy that is there and cannot be read would have forbidden.
    fn unread(&self, kind: PolicyKind, namespace: &str, name: &str) -> Option<Block> {
        let namespace = match kind {
            PolicyKind::HealingPolicy => namespace.to_owned(),
            PolicyKind::ClusterHealingPolicy => String::new(),
        };
        let why = self.undecoded.get(&(kind, (namespace, name.to_owned())))?;
        let message = format!("{} cannot be read: {why}: write it anew", Name(kind, name.to_owned()));
        Some(Block::new(Reason::PolicyInvalid, message))
    }

    /// Why ceilings and limits that hold for everybody are not known, if they are not.
    pub(super) fn unread_limits(&self) -> Option<Block> {
        self.unread(PolicyKind::ClusterHealingPolicy, "", DEFAULT_POLICY)
    }

    /// The ceilings that hold for a service: those of the cluster's default, and of the cluster's policy that it names.
    pub(super) fn ceilings(&self, spec: &HealedServiceSpec) -> Vec<(Name, &Ceilings)> {
        let named = spec.policy_ref.as_ref().filter(|named| named.kind == PolicyKind::ClusterHealingPolicy);
        let named = named.map(|named| named.name.as_str()).filter(|name| *name != DEFAULT_POLICY);
        let ceilings = |name: &str| {
            let ceilings = self.cluster.get(name)?.spec.ceilings.as_ref()?;
            Some((Name(PolicyKind::ClusterHealingPolicy, name.to_owned()), ceilings))
        };
        [Some(DEFAULT_POLICY), named].into_iter().flatten().filter_map(ceilings).collect()
    }

    /// What cannot be followed because it cannot be read, as sentences.
    pub(super) fn warnings(&self) -> Vec<String> {
        let warning = |(kind, why): (&PolicyKind, &String)| match kind {
            PolicyKind::HealingPolicy => format!("defaults of the namespace may be missing: {why}"),
            PolicyKind::ClusterHealingPolicy => {
                format!("defaults, ceilings and limits of the cluster may be missing: {why}")
            }
        };
        self.unreadable.iter().map(warning).collect()
    }

    /// What the cluster as a whole may do.
    pub fn limits(&self) -> ClusterPolicy {
        let written = self.cluster.get(DEFAULT_POLICY).and_then(|policy| policy.spec.cluster.clone());
        let ClusterLimits { max_in_flight, max_actions_per_minute, storm, paused } = written.unwrap_or_default();
        let Storm { minimum, percent, per_namespace_percent, cooldown_seconds } = storm;
        let count = |value: i32| u32::try_from(value).unwrap_or(0);
        ClusterPolicy {
            max_in_flight: count(max_in_flight),
            max_actions_per_minute: count(max_actions_per_minute),
            storm_minimum: count(minimum),
            storm_percent: count(percent),
            storm_per_namespace: count(per_namespace_percent),
            storm_cooldown: SignedDuration::from_secs(i64::from(cooldown_seconds.max(0))),
            paused,
        }
    }
}

/// The kind as people write it.
fn word(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::HealingPolicy => "HealingPolicy",
        PolicyKind::ClusterHealingPolicy => "ClusterHealingPolicy",
    }
}
