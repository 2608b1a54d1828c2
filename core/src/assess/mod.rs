//! Assessing: how the service is, for how long, and whether a person is needed.
//!
//! Owns the record of health, and which definition is worth going back to.

mod availability;
mod episodes;
mod escalation;
mod health;
mod nodes;
mod shortage;
mod stable;

pub use self::{
    episodes::track as track_episodes,
    escalation::escalate,
    health::{is_well, sum as assess},
    stable::track as track_stable,
};
