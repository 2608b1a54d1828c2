//! An embedded Kubernetes for controller tests.

pub mod api;
pub mod clock;
pub mod cluster;
mod kinds;
pub mod kubelet;
mod managed;
pub mod object;
pub mod patch;
pub mod random;
pub mod registry;
pub mod resource;
mod schema;
pub mod storage;
pub mod workloads;

pub use cluster::Cluster;
