//! The API `kubeheal.dev/v1alpha1`: types, defaults and validation rules.
//!
//! What a person writes (`spec`) and what kubeheal answers (`status`), as the generated CRDs in `crds/` publish it.
//! Nothing here decides or does anything: meaning is given to these fields by `policy` and the decision, and nothing here
//! talks to an API server.
//!
//! House rules of the API: durations are integers named `…Seconds`; numbers are `int32`/`int64`; every number, string,
//! list and map has a bound, which keeps the rules (CEL) cheap for the API server; no field is nullable unless Kubernetes
//! forces it, so "absent" has one form. Settings that a policy may stand behind have no default in the schema, so that a
//! stored object tells what was written in it: see [`AsWritten`].

// `KubeSchema` copies each struct, with its `pub`, into a function.
#![expect(unreachable_pub, reason = "in code the derive generates")]

mod alerts;
mod as_written;
mod circuit;
mod crd;
mod dependency;
mod diagnosis;
pub mod fit;
mod healed_service;
mod health;
mod lint;
mod policy;
mod problem;
mod remediation;
mod schema;
mod settings;
pub mod status;
mod structural;
mod workload;

pub use alerts::{Alerts, Escalation, Receiver, ReceiverType, SecretKey, ValueFrom};
pub use as_written::AsWritten;
pub use circuit::{CircuitBreaker, Fallback, OnOpen, OnOpenAction, Recurrence};
pub use crd::{CrdError, Manifest, crds, manifests};
pub use dependency::{Dependency, Grant};
pub use diagnosis::{Diagnosis, DiagnosisRule};
pub use healed_service::{HealedService, HealedServiceSpec, PolicyKind, PolicyRef};
pub use health::{ConditionStatus, HealthCriteria, PodConditionRule, ReadinessGates, RestartLimit};
pub use lint::{Document, contradictions, lint, settings_schema};
pub use policy::{
    Ceilings, ClusterHealingPolicy, ClusterHealingPolicySpec, ClusterLimits, DEFAULT_POLICY, HealingPolicy,
    HealingPolicySpec, Storm,
};
pub use problem::Problem;
pub use remediation::{Backoff, EvictionPolicy, HealingWindow, RecreatePolicy, Remediation, Step, Weekday};
pub use settings::{HealingSettings, Mode};
pub use status::HealedServiceStatus;
pub use workload::{WorkloadKind, WorkloadRef};

/// API group of every kubeheal resource.
pub const GROUP: &str = "kubeheal.dev";

/// The one version served.
pub const VERSION: &str = "v1alpha1";

/// `apiVersion` of every kubeheal object.
pub const API_VERSION: &str = "kubeheal.dev/v1alpha1";

/// Field manager of everything kubeheal writes. It must not start with `kubectl`: Flux takes over fields of such
/// managers.
pub const FIELD_MANAGER: &str = "kubeheal";

/// Annotations people set, and that kubeheal reads. None is ever written by kubeheal.
pub mod annotation {
    /// On a `HealedService`: any new value asks for one repair now, whatever the back-off says.
    pub const HEAL_NOW: &str = "kubeheal.dev/heal-now";

    /// On a `HealedService`: any new value closes the circuit and clears its counters.
    pub const RESET_BREAKER: &str = "kubeheal.dev/reset-breaker";

    /// On a `HealedService`: opens the circuit while present; the value is the reason shown to people.
    pub const FORCE_OPEN: &str = "kubeheal.dev/force-open";

    /// On a workload: `"true"` says that its removal is wanted, so it is not created again.
    pub const INTENTIONAL_DELETE: &str = "kubeheal.dev/intentional-delete";
}
