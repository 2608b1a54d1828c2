//! The data of a decision: what goes in, what is remembered, what comes out. Behaviour stands in the stages; nothing here knows
//! them.

pub mod alert;
pub mod bounded;
pub mod cause;
pub mod condition;
pub mod decision;
pub mod dependency;
pub mod execution;
pub mod finding;
pub mod fleet;
pub mod inputs;
pub mod moment;
pub mod plan;
pub mod policy;
pub mod reason;
pub mod snapshot;
pub mod state;
pub mod text;
pub mod verdict;
