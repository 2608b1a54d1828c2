//! Alerts: what receivers are told, how, and how often.

mod chance;
mod forms;
mod journeys;
mod receivers;
