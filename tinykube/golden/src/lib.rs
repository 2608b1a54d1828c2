//! Transcripts of a real Kubernetes API server, played to another one and compared line by line.
//!
//! tinykube's tests play them to tinykube in this process; the end-to-end suite plays them over a socket to any server. What is
//! recorded is in `transcripts/`, with a README of its own.

pub mod alike;
mod blur;
mod exchange;
pub mod known;
mod left_out;
pub mod play;
pub mod report;
mod restored;
pub mod transcript;
