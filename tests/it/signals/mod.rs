//! What is seen in objects and what is made of it: one table for each kind of signal.

mod clock;
mod ends;
mod nodes;
mod own_clock;
mod proofs;
mod replacements;
mod sampling;
mod starts;
mod windows;
mod workloads;
