#![doc = include_str!("../README.md")]

mod access;
pub mod api;
pub mod auth;
mod bootstrap;
mod builtin;
pub mod clock;
pub mod cluster;
mod correlator;
mod escalation;
pub mod faults;
mod fields;
pub mod http;
mod impersonation;
mod kinds;
pub mod kubelet;
mod managed;
pub mod node;
pub mod object;
mod openapi;
mod order;
pub mod patch;
mod quantity;
pub mod random;
pub mod registry;
pub mod resource;
mod response;
mod route;
mod schema;
mod socket;
pub mod storage;
pub mod stored;
pub mod tls;
pub mod workloads;

pub use cluster::Cluster;
