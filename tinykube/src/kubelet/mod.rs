//! The kubelet: containers that follow a script, reported as a real kubelet would.
//!
//! [`script`] is what people write; `pod`, `container`, `process` and `probe` are a pure state machine (time is an
//! argument, the next wake-up a result); `driver` is the one file that reads pods and writes statuses.
//! Nothing here schedules, creates or replaces pods.

mod allotment;
mod backoff;
mod container;
mod dependency;
mod driver;
mod log;
mod needs;
mod note;
mod pod;
mod probe;
mod process;
pub mod script;
mod span;
mod spec;
mod start;
mod status;
mod world;

pub use self::dependency::{Dependency, DependencyError};
pub(crate) use self::driver::Kubelet;
pub use self::driver::{LogLines, Logs};
pub(crate) use self::note::Note;
pub use self::script::{
    Behaviour, Exit, Flaps, LogLine, OnTerm, ProbePlan, Pull, SCRIPT_ANNOTATION, Script, ScriptError, Window,
};
pub(crate) use self::span::after;
pub use self::span::{Span, SpanError};
