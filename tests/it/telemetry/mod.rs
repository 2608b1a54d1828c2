//! Logs and traces: what is told of a reconcile, and that telling costs it nothing.

mod collector;
mod process;
mod program;
mod spans;
