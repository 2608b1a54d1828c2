//! A client behind faults: the same seed brings the same faults, each kind of fault does what it says, and a client that
//! keeps trying gets there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests may panic")]

mod client;
mod kinds;
mod seeds;
