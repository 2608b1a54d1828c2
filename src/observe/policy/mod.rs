//! The effective policy of a service: its own fields over those of a policy object, inside the ceilings.
//!
//! ```text
//! HealedService ─┐                 ┌─ ceilings of the cluster's policies
//!                ├─ layer ─ check ─┴─ ceiling ─ translate ─▶ healing::policy::Policy
//! its policy ────┘                                     └──▶ status.effectivePolicy
//! ```
//!
//! Reads what people wrote and hands on plain values. Decides nothing about the service: what cannot be followed becomes a
//! reason to hold still.

mod book;
mod ceiling;
mod effective;
mod layer;
mod translate;

pub use book::Book;
pub use effective::Effective;
pub use translate::translate;
