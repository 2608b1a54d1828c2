//! Publish: what was decided → status, Events, metrics and one audit line.
//!
//! Says things; must not decide any.

pub mod alert;
pub mod audit;
pub mod event;
pub mod herald;
pub mod status;

pub use status::cut;
