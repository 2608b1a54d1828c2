//! Integration tests of kubeheal, in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod alerts;
mod architecture;
mod core;
mod crds;
mod diagnosis;
mod escalation;
mod event_stream;
mod events;
mod examples;
mod gitops;
mod guards;
mod journeys;
mod kept;
mod leader;
mod masking;
mod metrics;
mod permissions;
mod policies;
mod preflight;
mod server;
mod signals;
mod support;
mod telemetry;
mod undecoded;
mod wait;
