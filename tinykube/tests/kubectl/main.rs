//! A real kubectl against a cluster behind a socket. `KUBEHEAL_KUBECTL` names the binary; `make test` sets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests may panic")]

mod kubectl;
mod objects;
mod rollouts;
mod server;
mod users;
