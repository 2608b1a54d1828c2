//! The effective policy of a service: its own fields over those of a policy object, inside the ceilings.
//!
//! Reads what people wrote and hands on plain values. Decides nothing about the service.

mod effective;
mod translate;

pub use effective::Effective;
pub use translate::translate;
