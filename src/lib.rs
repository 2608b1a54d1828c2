//! kubeheal: a controller that heals workloads with care and says why.
//!
//! # What flows where
//!
//! ```text
//! watch event → cluster::cache → controller::queue of HealedService keys
//! policies    → policy: a service's own fields over its policy's, inside the ceilings → one effective policy
//! controller:  decide    controller::turn(caches, key, live reads, now) → kubeheal_core::decide   pure, total
//!              record    status::render → the status, with resourceVersion, before anything is done
//!              report    notify: Events, notices to receivers, metrics
//!              act       cluster::execute, each call with the UID as precondition; needs what `record` returned
//!              settle    kubeheal_core::settle(what the API server answered) → the status
//!              requeue   at decision.next_check
//! ```
//!
//! | folder | what it is for | what it must not do |
//! |---|---|---|
//! | [`kubeheal_core`] | the decision | know Kubernetes, read a clock, keep anything |
//! | [`api`] | the objects that people write and read, defaults, rules | decide |
//! | [`base`] | keys, digests, targets, errors in words | know the other folders but `api` |
//! | [`policy`] | settings, policies and ceilings → what is effective | decide about a service |
//! | [`diagnosis`] | rules that name root causes; masked secrets | widen what is acted on |
//! | [`cluster`] | watches, caches, snapshots, live reads, plans → API calls | decide |
//! | [`status`] | decision → status, status → state | talk to the API server |
//! | [`controller`] | the queue, and the steps in order | keep knowledge between two reconciles |
//! | [`notify`] | Events, alerts, the audit line | decide what fires or whom to notify |
//! | [`ops`] | clock, leader election, port, metrics, traces, start checks, `kubeheal wait` | decide about a service |
//!
//! # Rules
//!
//! 1. The core depends on jiff, schemars, serde and strum. No memory of a process decides anything: what must be remembered
//!    is in the status, so after a restart or a failover the decision is the same.
//! 2. [`kubeheal_core::decide`] cannot fail, and with an unchanged world and time it plans nothing more.
//! 3. `api`, `base`, `policy`, `status` and `diagnosis` never talk to the API server. Only `clock` reads time.
//! 4. One vocabulary: a [`kubeheal_core::model::reason::Reason`] is the reason of a condition, of the Event that tells
//!    of its flip, and of the metric that counts what was held back. Events about a repair are named by its step.
//! 5. Our enums are matched without wildcards where each variant must be thought of.
//! 6. What can be a lint or a test is one: see `clippy.toml` and `tests/it/architecture.rs`.
//!
//! `docs/architecture.md` says it at length, with a walkthrough; `docs/decisions/` says why it is so where one would expect
//! something else; `docs/glossary.md` has the words.

pub mod api;
pub mod base;
pub mod cluster;
pub mod controller;
pub mod diagnosis;
pub mod notify;
pub mod ops;
pub mod policy;
pub mod status;
