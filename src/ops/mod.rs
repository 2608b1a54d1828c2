//! What runs around the controller: its clock, leadership, HTTP port, metrics, traces, checks before it starts, `kubeheal wait`.

mod answer;
pub mod clock;
pub mod config;
mod connections;
pub mod leader;
pub mod metrics;
pub mod preflight;
pub mod server;
pub mod telemetry;
pub mod wait;
