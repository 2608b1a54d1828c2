//! The effective policy of a service: its own fields over those of a policy object, inside the ceilings.
//!
//! ```text
//! HealedService ─┐                 ┌─ ceilings of the cluster's policies
//!                ├─ merge ─ check ─┴─ ceiling ─ translate ─▶ model::policy::Policy
//! its policy ────┘                                     └──▶ status.effectivePolicy
//! ```
//!
//! Reads what people wrote and hands on plain values. Decides nothing about the service: what cannot be followed becomes a
//! reason to hold still.

mod ceiling;
mod effective;
mod merge;
mod store;
mod translate;

pub use effective::Effective;
pub use store::PolicyStore;
pub use translate::translate;
