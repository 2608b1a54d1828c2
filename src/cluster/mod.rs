//! The cluster: all that talks to the API server about workloads.
//!
//! Watches and caches, from which the `Snapshot` is made that deciding reads; live reads; and plans carried out, each call with
//! preconditions. Decides nothing: what cannot be seen is handed on as unknown.

pub mod cache;
mod controller_ref;
pub mod decode;
pub mod definition;
pub mod dependency;
pub mod execute;
mod image;
pub mod kept;
pub mod kind;
pub mod log;
pub mod node;
pub mod pdb;
pub mod peer;
pub mod pod;
pub mod pod_event;
pub mod record;
pub mod revision;
pub mod signature;
pub mod snapshot;
mod undecoded;
pub mod watch;
pub mod workload;
