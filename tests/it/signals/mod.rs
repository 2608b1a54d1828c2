//! What is seen in objects and what is made of it: one table for each kind of signal.

mod budgets;
mod ends;
mod gates;
mod owners;
mod replacements;
mod rollouts;
mod sampling;
mod starts;
mod windows;
mod workloads;
