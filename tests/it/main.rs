//! Integration tests of kubeheal, in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod alerts;
mod core;
mod crds;
mod diagnosis;
mod escalation;
mod examples;
mod gitops;
mod guards;
mod house;
mod journeys;
mod leader;
mod metrics;
mod permissions;
mod policies;
mod preflight;
mod server;
mod signals;
mod sketch;
mod telemetry;
mod told;
mod undecoded;
mod wait;
mod world;
