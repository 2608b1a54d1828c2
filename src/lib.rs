//! kubeheal: a controller that heals workloads with care and says why.
//!
//! # What flows where
//!
//! ```text
//! watch event → observe::cache → queue of HealedService keys
//! policies  →  observe::policy: a service's own fields over its policy's, inside the ceilings → healing::policy::Policy
//! controller:  look      observe::snapshot(caches) + healing::decide(&policy, &snapshot, now)   pure, total
//!              record    publish::status, with resourceVersion, before anything is done
//!              act       execute::run(plan), each call with UID preconditions
//!              settle    healing::settle(what the API server answered) → status
//!              report    publish::event, metrics, one audit line
//!              requeue   at decision.next_check
//! ```
//!
//! | folder | what it is for | what it must not do |
//! |---|---|---|
//! | [`api`] | the types people write, defaults, rules | behave |
//! | [`healing`] | the decision | know Kubernetes, read a clock, remember |
//! | [`observe`] | watches, caches, snapshots | write, decide |
//! | [`execute`] | plans → API calls | decide |
//! | [`publish`] | decisions → status and Events | decide |
//! | [`controller`] | the steps in order | hold knowledge |
//!
//! # Rules
//!
//! 1. `healing` imports nothing but std and jiff. No memory of a process decides anything: what must be remembered is in
//!    the status, so after a restart or a failover the decision is the same.
//! 2. [`healing::decide`] cannot fail, and with an unchanged world and time it plans nothing more.
//! 3. Only `observe`, `execute`, `publish` and `leader` talk to the API server. Only `clock` reads time.
//! 4. One vocabulary: a [`healing::reason::Reason`] is the reason of a condition, of the Event that tells
//!    of its flip, and of the metric that counts what was held back. Events about a repair are named by its step.
//! 5. Our enums are matched without wildcards where each variant must be thought of.
//! 6. What can be a lint or a test is one: see `clippy.toml` and `tests/it/house.rs`.
//!
//! # Where this differs from what one would expect, and why
//!
//! - **Own watches and queue instead of `kube::runtime::Controller`.** There all triggers share one back-off, deletions in a
//!   relist are lost, and only the primary store is awaited. Here each stream is on its own, a stream that failed is listed
//!   afresh (nothing else tells for certain what was missed), and nothing is decided while one is behind.
//! - **The status holds more than people read**: restart counters, windows of actions, begin and end of the last unhealthy
//!   time. That is the price of deciding nothing from a process' memory, and what makes a storm visible to every worker
//!   without anybody having to remember it.
//! - **The last known good definition is kept as soon as a workload is wholly ready**, not after a stabilization time: a
//!   workload removed in its first minutes would otherwise have nothing to come back from.
//! - **An action in a storm is counted from the first sign.** A service counts as unhealthy for the storm as soon as too few
//!   pods are ready and something is wrong with them; waiting until it lasted would let the first ones act before the storm
//!   can be seen.
//! - **A refusal is not an attempt.** A disruption budget, a conflict or a busy server costs no attempt; a lost reply is a
//!   refusal too, because the UID precondition makes trying again safe.
//! - **Whole seconds.** The API server keeps no fractions, so the clock has none: a decision must equal its own record.
//! - **What was tried before the breaker last closed is not counted again**, else it would open at the next failure.
//! - **`prometheus-client`** counts and renders metrics: it is the maintained one of the two crates.

pub mod api;
pub mod base;
pub mod cluster;
pub mod controller;
pub mod diagnosis;
pub mod notify;
pub mod ops;
pub mod policy;
pub mod status;
