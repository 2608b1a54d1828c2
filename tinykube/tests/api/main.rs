//! Tests of the API server through its service, as clients see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests may panic")]

mod access;
mod conformance;
mod controller;
mod definitions;
mod forms;
mod http;
mod kinds;
mod load;
mod strict;
mod tls;
mod webhook_configurations;
mod webhooks;
