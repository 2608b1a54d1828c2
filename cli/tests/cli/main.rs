//! healctl as people run it: the binary, its output and its exit codes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod cases;
mod demo;
mod playground;
mod replay;
mod run;
mod situations;
mod stories;
mod traces;
