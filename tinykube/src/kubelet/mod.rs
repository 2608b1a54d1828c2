//! The kubelet: containers that follow a script, reported as a real kubelet would.
//!
//! [`script`] is what people write; `pod`, `container`, `process` and `probe` are a pure state machine (time is an
//! argument, the next wake-up a result); `pods` has those of one node, and `driver` is the one file that reads pods and
//! writes statuses in the store of the cluster itself. [`crate::node`] does the same to any API server.
//! Nothing here schedules, creates or replaces pods.

mod address;
mod admission;
mod allotment;
mod backoff;
mod config_ref;
mod container;
mod dependency;
mod driver;
mod effective_script;
mod host;
mod log;
mod log_text;
mod needs;
mod note;
mod pod;
mod pods;
mod probe;
mod probe_kind;
mod process;
mod program;
pub(crate) mod report;
mod restart;
mod restore;
pub mod script;
mod span;
mod spec;
mod start;
mod status;
mod transitions;
mod waiting;
mod world;

pub(crate) use self::address::Addresses;
pub use self::dependency::{Dependency, DependencyError};
pub(crate) use self::driver::Kubelet;
pub(crate) use self::effective_script::{Found, find_script, pods_below};
pub(crate) use self::host::Host;
pub(crate) use self::log_text::{Follow, Wanted, unavailable as log_unavailable};
pub(crate) use self::note::Note;
pub(crate) use self::pods::{Around, Pods, Turn};
pub use self::pods::{LogLines, Logs};
pub use self::script::{
    Behaviour, Exit, Flaps, LogLine, OnTerm, ProbePlan, Pull, SCRIPT_ANNOTATION, Script, ScriptError, Window,
};
pub(crate) use self::span::after;
pub use self::span::{Span, SpanError};
pub(crate) use self::status::seconds;
