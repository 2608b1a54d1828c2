//! Alerts: what receivers are told, how, and how often.

mod alarms;
mod forms;
pub(crate) mod inbox;
mod journeys;
mod receivers;
