//! Alerts: what receivers are told, how, and how often.

mod alarms;
pub(crate) mod inbox;
mod journeys;
mod receivers;
