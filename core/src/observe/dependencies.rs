//! Dependencies: whose fault is it, followed to the deepest unavailable service.
//!
//! Who makes the snapshot resolves the names and walks the chain; here it is judged.

use jiff::Timestamp;

use crate::model::{
    dependency::{Dependencies, Dependency, DependencyHealth},
    moment::{Moment, after, humanize},
    reason::{Block, Reason},
    state::DependencyRecord,
};

/// Judges all dependencies.
pub(super) fn judge(dependencies: &[Dependency], moment: &Moment) -> Dependencies {
    let each: Vec<_> = dependencies.iter().map(|one| (one.clone(), is_ready(one, moment))).collect();
    let held = each.iter().find(|(_, ready)| !ready).map(|(one, _)| explain(one));
    Dependencies { each, held }
}

fn is_ready(dependency: &Dependency, moment: &Moment) -> bool {
    match dependency.health {
        DependencyHealth::Available(since) => moment.reached(after(since, dependency.stable)),
        DependencyHealth::Unavailable
        | DependencyHealth::NotFound
        | DependencyHealth::NotGranted
        | DependencyHealth::Cycle => false,
    }
}

fn explain(dependency: &Dependency) -> Block {
    let Dependency { namespace, name, stable, health, root, down: _, recovering: _, last_action: _ } = dependency;
    let (reason, message) = match health {
        DependencyHealth::Available(_) => {
            (Reason::DependencyDown, format!("{namespace}/{name} is available but not yet for {}", humanize(*stable)))
        }
        DependencyHealth::Unavailable => {
            let root = root.as_ref().map(|root| format!("; the root is {root}")).unwrap_or_default();
            (Reason::DependencyDown, format!("{namespace}/{name} is not available{root}"))
        }
        DependencyHealth::NotFound => (
            Reason::DependencyUnknown,
            format!("there is no HealedService {namespace}/{name}: create it or remove it from dependsOn"),
        ),
        DependencyHealth::NotGranted => {
            (Reason::NotGranted, format!("{namespace}/{name} does not grant this namespace: add it to grants there"))
        }
        DependencyHealth::Cycle => (
            Reason::DependencyCycle,
            format!("{namespace}/{name} depends on this service in turn: remove one of the two"),
        ),
    };
    Block::new(reason, message)
}

/// A dependent is not charged for its dependencies: when they get well, its own patience begins anew.
pub(super) fn track_release(dependencies: &Dependencies, record: &mut DependencyRecord, now: Timestamp) {
    let held = dependencies.held.is_some();
    if record.held && !held {
        record.released_at = Some(now);
    }
    record.held = held;
}
