//! What is seen in objects and what is made of it: one table for each kind of signal.

mod boots;
mod budgets;
mod clock;
mod crowd;
mod ends;
mod gates;
mod looks;
mod nodes;
mod own_clock;
mod owners;
mod pod_events;
mod proofs;
mod replacements;
mod rollouts;
mod sampling;
mod starts;
mod storms;
mod windows;
mod workloads;
