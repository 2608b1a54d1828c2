//! Notifying: what was decided → Events, alerts and one audit line.
//!
//! Says things; must not decide any.

pub mod alert;
pub mod audit;
pub mod event;
pub mod recorder;
