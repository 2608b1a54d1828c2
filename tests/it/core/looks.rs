//! The decision depends on what happened, not on how often somebody looked: with looks at changes and when a decision asked for
//! one, the same is said and wanted as with any number of looks besides.

use jiff::{SignedDuration, Timestamp};
use kubeheal::{api::status::HealedServiceStatus, status::load};
use kubeheal_core::{
    decide,
    model::{
        decision::Decision,
        finding::Place,
        plan::Action,
        policy::{Mode, Policy},
        reason::Reason,
        snapshot::Snapshot,
    },
};
use proptest::{collection::vec, prelude::*};

use super::{
    cases,
    properties::any_policy,
    simulation::{Simulation, histories, stored},
};
use crate::support::fixtures::at;

/// What people are told, and what would be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    health: &'static str,
    findings: Vec<(Place, &'static str, bool)>,
    wanted: Option<Action>,
    held: Vec<Reason>,
}

impl Said {
    pub(crate) fn of(decision: &Decision) -> Self {
        let found = decision.findings.iter();
        Self {
            health: decision.verdict.health.as_str(),
            findings: found.map(|one| (one.place.clone(), one.cause.as_str(), one.over_threshold)).collect(),
            wanted: decision.proposal().map(|plan| plan.action.clone()),
            held: decision.blocked_by().iter().map(|block| block.reason).collect(),
        }
    }
}

/// Plays a world in which nothing is done, and tells what was said at each look.
fn play(policy: &Policy, world: &[(Timestamp, Snapshot)], more: &[i64], end: Timestamp) -> Vec<(Timestamp, Said)> {
    let mut status = HealedServiceStatus::default();
    let mut said = Vec::new();
    for (index, (begin, seen)) in world.iter().enumerate() {
        let until = world.get(index + 1).map_or(end, |(next, _)| *next);
        let mut now = *begin;
        while now < until {
            let decision = decide(policy, &Snapshot { state: load(&status), ..seen.clone() }, now);
            status = stored(&decision, &status, now);
            said.push((now, Said::of(&decision)));
            let besides = more.iter().map(|second| at(*second)).filter(|time| *time > now).min();
            // The API keeps whole seconds.
            let asked = decision.next_check.map(|next| next.max(now + SignedDuration::from_secs(1)));
            now = asked.into_iter().chain(besides).min().unwrap_or(until).min(until);
        }
    }
    said
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn looks_besides_change_nothing(
        policy in any_policy(),
        history in histories(25),
        more in vec(0..9_000_i64, 1..60),
    ) {
        let policy = Policy { mode: Mode::Observe, ..policy };
        let world = Simulation::new().worlds(&policy, &history);
        let end = world.last().unwrap().0 + SignedDuration::from_hours(1);
        let few = play(&policy, &world, &[], end);
        for (time, said) in play(&policy, &world, &more, end) {
            let known = few.iter().rev().find(|(known, _)| *known <= time).map(|(_, said)| said);
            prop_assert_eq!(known, Some(&said), "at {}", time);
        }
    }
}
