//! The fleet: what all services of the cluster are, in sum.
//!
//! It is kept up to date service by service, so that what a decision asks of it does not grow with the number of services: it
//! searches sorted instants, and goes through those changes only that lie within the cool-down. What a service claims moves the
//! sum of its own namespace; what a namespace as a whole can move for others is bounded.

mod budget;
mod level;
mod peer;
mod storm;
mod sum;
mod trouble;
mod view;

pub use self::{
    budget::{LONGEST_PLACE, Usage, share},
    peer::{PeerStatus, ServiceKey, Shared},
    storm::Scope,
    view::{Fleet, FleetIndex},
};
