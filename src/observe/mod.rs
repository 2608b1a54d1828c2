//! Observe: watches and caches, and from them the `Snapshot` that deciding reads.
//!
//! Reads from the API server and never writes. Decides nothing: what cannot be seen is handed on as unknown.

pub mod cache;
pub mod companion;
pub mod decode;
pub mod definition;
pub mod dependency;
pub mod kind;
pub mod log;
pub mod memory;
pub mod pod;
pub mod policy;
pub mod record;
pub mod snapshot;
mod undecoded;
pub mod watch;
pub mod workload;
