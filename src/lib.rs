//! kubeheal

pub mod api;
pub mod healing;
pub mod clock;
pub mod controller;
pub mod diagnosis;
pub mod error;
pub mod execute;
pub mod observe;
pub mod publish;
pub mod queue;
pub mod config;
pub mod leader;
pub mod metrics;
pub mod preflight;
pub mod server;
pub mod telemetry;
pub mod explain;
