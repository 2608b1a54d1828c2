//! Dependencies: whose fault is it, followed to the deepest unhealthy service.
//!
//! `observe` resolves the names and walks the chain; here it is judged.

use jiff::{SignedDuration, Timestamp};

use super::{
    reason::Reason,
    time::{Wakeups, after},
};

/// One dependency as the status of the named service shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// It must have been healthy for this long.
    pub stable: SignedDuration,
    /// What is known of it.
    pub state: DependencyState,
    /// It was well once and has no ready pod now.
    pub down: bool,
    /// It is restarted, or will be, because what it depends on recovered.
    pub recovering: bool,
    /// Deepest unhealthy service behind it, as `namespace/name`, where that is another one.
    pub root: Option<String>,
}

/// What is known of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependencyState {
    /// Healthy since then.
    Healthy(Timestamp),
    /// Not healthy, whatever it is instead.
    NotHealthy,
    /// There is no service of that name.
    NotFound,
    /// It lives in another namespace and does not allow us to name it.
    NotGranted,
    /// It depends on us, directly or through others.
    Cycle,
}

/// The judgement over all dependencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependencies {
    /// Each with whether it is ready.
    pub each: Vec<(Dependency, bool)>,
    /// Why the service is held, if it is.
    pub held: Option<(Reason, String)>,
}

/// Judges all dependencies.
pub fn judge(dependencies: &[Dependency], wakeups: &mut Wakeups, now: Timestamp) -> Dependencies {
    let each: Vec<_> = dependencies.iter().map(|one| (one.clone(), is_ready(one, wakeups, now))).collect();
    let held = each.iter().find(|(_, ready)| !ready).map(|(one, _)| explain(one));
    Dependencies { each, held }
}

fn is_ready(dependency: &Dependency, wakeups: &mut Wakeups, now: Timestamp) -> bool {
    match dependency.state {
        DependencyState::Healthy(since) => {
            let due = after(since, dependency.stable);
            wakeups.at(due, now);
            now >= due
        }
        DependencyState::NotHealthy
        | DependencyState::NotFound
        | DependencyState::NotGranted
        | DependencyState::Cycle => false,
    }
}

fn explain(dependency: &Dependency) -> (Reason, String) {
    let Dependency { namespace, name, stable, state, root, down: _, recovering: _ } = dependency;
    match state {
        DependencyState::Healthy(_) => (
            Reason::DependencyDown,
            format!("{namespace}/{name} is healthy but not yet for {}", super::time::spoken(*stable)),
        ),
        DependencyState::NotHealthy => {
            let root = root.as_ref().map(|root| format!("; the root is {root}")).unwrap_or_default();
            (Reason::DependencyDown, format!("{namespace}/{name} is not healthy{root}"))
        }
        DependencyState::NotFound => (
            Reason::DependencyUnknown,
            format!("there is no HealedService {namespace}/{name}: create it or remove it from dependsOn"),
        ),
        DependencyState::NotGranted => {
            (Reason::NotGranted, format!("{namespace}/{name} does not grant this namespace: add it to grants there"))
        }
        DependencyState::Cycle => (
            Reason::DependencyCycle,
            format!("{namespace}/{name} depends on this service in turn: remove one of the two"),
        ),
    }
}
