//! `HealingPolicy` and `ClusterHealingPolicy`: settings that many services share, and the limits of a cluster.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::as_written::AsWritten;
use super::circuit::OnOpenAction;
use super::remediation::Step;
use super::schema::finish;

/// Name of the policy that applies where none is named.
pub const DEFAULT_POLICY: &str = "default";

/// Settings that services of this namespace share.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "kubeheal.dev",
    version = "v1alpha1",
    kind = "HealingPolicy",
    plural = "healingpolicies",
    doc = "HealingPolicy holds settings for the HealedServices of its namespace: for those that name it, or, if it is called \"default\", for all that name no policy. What a service writes itself goes before.",
    namespaced,
    shortname = "hpol",
    category = "kubeheal",
    derive = "PartialEq",
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".spec.template.mode",
        description = "Whether services act (Heal) or only report (Observe), if the policy says so"
    ),
    printcolumn(
        name = "Ladder",
        type_ = "string",
        json_path = ".spec.template.remediation.ladder",
        description = "Steps, if the policy names them"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = finish)]
#[expect(clippy::duplicated_attributes, reason = "two columns may have one type")]
pub struct HealingPolicySpec {
    /// The settings: the fields of HealedService.spec from mode to alerts. Each is for services that do not write it
    /// themselves; lists and single values are taken as a whole.
    #[serde(default)]
    pub template: AsWritten,
}

/// Settings and limits for the whole cluster.
// The rules are on the whole object where they need its name, and say nothing twice that the template's own rules say.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "kubeheal.dev",
    version = "v1alpha1",
    kind = "ClusterHealingPolicy",
    plural = "clusterhealingpolicies",
    doc = "ClusterHealingPolicy is a HealingPolicy for services of any namespace, with ceilings that no service can lift. The one called \"default\" is for all that name no policy and whose namespace has no default; its ceilings hold everywhere, and it alone says what the cluster as a whole may do.",
    shortname = "chpol",
    category = "kubeheal",
    derive = "PartialEq",
    validation = Rule::new("self.metadata.name == 'default' || !has(self.spec.cluster)")
        .message("spec.cluster is read from the ClusterHealingPolicy named default only: write it there"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.template.mode", description = "Whether services act (Heal) or only report (Observe), if the policy says so"),
    printcolumn(name = "Ladder", type_ = "string", json_path = ".spec.template.remediation.ladder", description = "Steps, if the policy names them"),
    printcolumn(name = "Max-Per-Hour", type_ = "integer", json_path = ".spec.ceilings.maxActionsPerHour", description = "Actions on one service in an hour, at most"),
    printcolumn(name = "Paused", type_ = "string", json_path = ".spec.cluster.paused", description = "Why the whole cluster is held still, if it is"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = finish)]
#[x_kube(
    validation = Rule::new("!has(self.template) || !has(self.template.remediation) || !has(self.template.remediation.ladder) || !has(self.ceilings) || !has(self.ceilings.allowedSteps) || self.template.remediation.ladder.all(step, step in self.ceilings.allowedSteps)")
        .message("template.remediation.ladder names a step that ceilings.allowedSteps does not allow: take it out there, or allow it here"),
    validation = Rule::new("!has(self.template) || !has(self.template.circuitBreaker) || !has(self.template.circuitBreaker.onOpen) || !has(self.template.circuitBreaker.onOpen.action) || !has(self.ceilings) || !has(self.ceilings.allowedOnOpen) || self.template.circuitBreaker.onOpen.action == 'Hold' || self.template.circuitBreaker.onOpen.action in self.ceilings.allowedOnOpen")
        .message("template.circuitBreaker.onOpen names an action that ceilings.allowedOnOpen does not allow: write Hold there, or allow it here"),
)]
pub struct ClusterHealingPolicySpec {
    /// The settings: the fields of HealedService.spec from mode to alerts. Each is for services that do not write it
    /// themselves; lists and single values are taken as a whole.
    #[serde(default)]
    pub template: AsWritten,

    /// What no service that follows this policy may exceed, whatever it writes itself. Those of the policy named default
    /// hold for every service; of two, the tighter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceilings: Option<Ceilings>,

    /// What all services together may do. Read from the policy named default only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterLimits>,
}

/// What no service may exceed. What is left out is not limited.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ceilings {
    /// Actions on one service within an hour. At least 2: with 1 the default circuit breaker could never count enough
    /// actions to open.
    // No more than status.memory.attempts.recent holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 60))]
    pub max_actions_per_hour: Option<i32>,

    /// Steps that may be taken. Others are taken out of a service's ladder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_steps: Vec<Step>,

    /// What may be done while a circuit is open. Where it is something else, Hold is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_on_open: Vec<OnOpenAction>,

    /// Hosts at which receivers of alerts may be, as they stand in an address: `hooks.example.com`, `am.monitoring.svc`, or
    /// `*.example.com` for all below it. A host that is named here may also be on the machine of kubeheal, such as `127.0.0.1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(min = 1, max = 64),
        inner(length(min = 1, max = 253), regex(pattern = r"^(\*\.)?[A-Za-z0-9_.:-]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_receiver_hosts: Vec<String>,
}

/// What all services of the cluster together may do.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "ClusterLimits::default")]
pub struct ClusterLimits {
    /// Repairs that may be under way at once. Where several namespaces have services that count, one uses half of them at most,
    /// rounded up.
    #[schemars(range(min = 1, max = 1000))]
    pub max_in_flight: i32,

    /// Actions that may begin within a minute. Where several namespaces have services that count, one begins half of them at most,
    /// rounded up.
    #[schemars(range(min = 1, max = 1000))]
    pub max_actions_per_minute: i32,

    /// When so much is unhealthy at once that something shared must be, and nothing is healed.
    pub storm: Storm,

    /// Reasons to hold the whole cluster still. While there is one, nothing is done anywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub paused: Vec<String>,
}

impl Default for ClusterLimits {
    fn default() -> Self {
        Self { max_in_flight: 3, max_actions_per_minute: 10, storm: Storm::default(), paused: Vec::new() }
    }
}

/// A storm is more unhealthy services than minimum and than percent of all that count: in a namespace, where it holds that namespace,
/// or in several, where it holds the cluster. A service counts that acts (mode Heal, not suspended) and was healthy for its
/// stabilization time before.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "Storm::default")]
pub struct Storm {
    /// So many unhealthy services are no storm yet, however few there are in all.
    #[schemars(range(min = 1, max = 10_000))]
    pub minimum: i32,

    /// So many per cent of the services of the namespace, or of all, rounded up, are no storm yet. 100 switches the storm hold off.
    #[schemars(range(min = 1, max = 100))]
    pub percent: i32,

    /// One namespace makes up at most so many per cent of a storm of the cluster, however many of its services are unhealthy; the
    /// rest must be in other namespaces.
    #[schemars(range(min = 1, max = 100))]
    pub per_namespace_percent: i32,

    /// The storm is over when it has been quiet for this many seconds.
    #[schemars(range(min = 0, max = 86_400))]
    pub cooldown_seconds: i32,
}

impl Default for Storm {
    fn default() -> Self {
        Self { minimum: 2, percent: 40, per_namespace_percent: 50, cooldown_seconds: 300 }
    }
}
