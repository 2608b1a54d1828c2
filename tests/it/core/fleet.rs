//! The sum over all services: kept up to date one by one, it says what counting all of them anew would say.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kubeheal_core::{
    decide,
    model::{
        alert::Receiver,
        fleet::{FleetIndex, PeerStatus, Scope, ServiceKey, share},
        moment::Moment,
        policy::{ClusterPolicy, Policy},
        reason::Reason,
        snapshot::{Snapshot, WorkloadKind},
        state::Episode,
    },
};
use proptest::{collection::vec, option, prelude::*};

use super::cases;
use crate::support::fixtures::{at, policy, sick, unhealthy_since, workload};

/// What becomes of which service: another status, or its end.
type News = (usize, Option<PeerStatus>);

const SERVICES: usize = 9;
const NAMESPACES: [&str; 3] = ["bank", "post", "shop"];
const NOW: i64 = 1_000;
const DESTINATIONS: [&str; 2] = ["ops", "shop"];

fn key(number: usize) -> ServiceKey {
    (NAMESPACES[number % 3].to_owned(), format!("app-{number}"))
}

fn episode() -> impl Strategy<Value = Option<Episode>> {
    let time = || (0..NOW + 60).prop_map(at);
    option::weighted(0.8, (time(), option::of(time())).prop_map(|(since, until)| Episode { since, until }))
}

/// Some of the destinations.
fn destinations() -> impl Strategy<Value = Vec<String>> {
    vec(prop::sample::select(&DESTINATIONS[..]).prop_map(str::to_owned), 0..3)
}

fn peer() -> impl Strategy<Value = PeerStatus> {
    let actions = vec((NOW - 120..NOW + 30).prop_map(at), 0..3);
    let receivers = destinations().prop_map(|destinations| {
        let named = |destination: String| Receiver { name: "hook".to_owned(), destination, kept_alive: false };
        destinations.into_iter().map(named).collect::<Vec<_>>()
    });
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.2));
    let repair = || option::of((NOW - 3_000..NOW + 30).prop_map(at));
    (episode(), flags, (repair(), repair()), actions, receivers, destinations()).prop_map(
        |(episode, (counts, held), (in_flight, concluded), actions, receivers, notifies_of_storm)| PeerStatus {
            counts,
            episode,
            held,
            in_flight,
            concluded,
            actions,
            receivers: receivers.into(),
            notifies_of_storm,
            shares: Vec::new(),
        },
    )
}

/// Whether the service notifies a destination of a storm of its scope, told by asking each other one.
fn comes_first(peers: &BTreeMap<usize, PeerStatus>, me: usize, destination: &str, scope: Scope) -> bool {
    let concerned = |number: usize| scope == Scope::Cluster || number % 3 == me % 3;
    peers.iter().filter(|(number, _)| **number != me && concerned(**number)).all(|(number, peer)| {
        let is_unhealthy = peer.episode.is_some_and(|episode| episode.until.is_none()) && !peer.held;
        let shares = peer.receivers.iter().any(|receiver| receiver.destination == destination);
        let notifies = peer.notifies_of_storm.iter().any(|one| one == destination);
        !(notifies || is_unhealthy && shares && key(*number) < key(me))
    })
}

fn news() -> impl Strategy<Value = Vec<News>> {
    vec((0..SERVICES, option::weighted(0.9, peer())), 1..40)
}

/// What is unhealthy at an instant, told by asking each.
fn is_storm(
    peers: &BTreeMap<usize, PeerStatus>,
    policy: &ClusterPolicy,
    namespace: Option<usize>,
    time: Timestamp,
) -> bool {
    let counting = |number: &usize| peers[number].counts && namespace.is_none_or(|one| number % 3 == one);
    let counting: Vec<usize> = peers.keys().copied().filter(counting).collect();
    let limit = (counting.len() * policy.storm_percent as usize).div_ceil(100).max(policy.storm_minimum as usize);
    let covers = |number: &&usize| {
        let peer = &peers[*number];
        peer.episode.filter(|_| !peer.held).is_some_and(|episode| {
            // What claims to be still to come is of this moment.
            let end = episode.until.filter(|&end| end >= episode.since).map_or(Timestamp::MAX, |end| end.min(at(NOW)));
            episode.since.min(at(NOW)) <= time && time < end
        })
    };
    let unhealthy: Vec<usize> = counting.iter().filter(covers).copied().collect();
    if namespace.is_some() {
        return unhealthy.len() > limit;
    }
    let hit: Vec<usize> = (0..3).map(|one| unhealthy.iter().filter(|number| *number % 3 == one).count()).collect();
    let most = ((limit + 1) * policy.storm_per_namespace as usize).div_ceil(100).max(1);
    let weight: usize = hit.iter().map(|count| (*count).min(most)).sum();
    let outside = unhealthy.len() - hit.iter().max().unwrap();
    weight > limit && outside > policy.storm_minimum as usize
}

/// Whether there is a storm, or else when the last one ended, told by looking at every second.
fn last_stormy(
    peers: &BTreeMap<usize, PeerStatus>,
    policy: &ClusterPolicy,
    namespace: Option<usize>,
) -> Option<(bool, Timestamp)> {
    if is_storm(peers, policy, namespace, at(NOW)) {
        return Some((true, at(NOW)));
    }
    let mut seconds = at(NOW).checked_sub(policy.storm_cooldown).unwrap();
    let mut stormy = None;
    while seconds < at(NOW) {
        let next = seconds.checked_add(SignedDuration::from_secs(1)).unwrap();
        if is_storm(peers, policy, namespace, seconds) && !is_storm(peers, policy, namespace, next) {
            stormy = Some((false, next));
        }
        seconds = next;
    }
    let goes_on = |(_, end): &(bool, Timestamp)| at(NOW) < end.checked_add(policy.storm_cooldown).unwrap();
    stormy.filter(goes_on)
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn the_sum_is_the_same_whatever_happened_before(news in news()) {
        let (mut index, mut peers) = (FleetIndex::default(), BTreeMap::new());
        for (number, status) in news {
            match status {
                Some(status) => {
                    index.set(&key(number), status.clone());
                    peers.insert(number, status);
                }
                None => {
                    index.remove(&key(number));
                    peers.remove(&number);
                }
            }
        }
        let anew: FleetIndex = peers.iter().map(|(number, peer)| (key(*number), peer.clone())).collect();
        for number in 0..SERVICES {
            let seen = index.seen_by(&key(number));
            prop_assert_eq!(&seen, &anew.seen_by(&key(number)));
            for destination in DESTINATIONS.into_iter().filter(|_| peers.contains_key(&number)) {
                for scope in [Scope::Namespace, Scope::Cluster] {
                    let expected = comes_first(&peers, number, destination, scope);
                    prop_assert_eq!(seen.is_first_at(destination, scope), expected, "{}", number);
                }
            }
        }
    }

    #[test]
    fn a_storm_is_seen_as_by_counting_every_second(
        peers in prop::collection::btree_map(0..SERVICES, peer(), 1..SERVICES), own in episode(),
        minimum in 0..4_u32, cooldown in 1..600_i64, per_namespace in 1..=100_u32, limit in 1..6_usize,
    ) {
        let policy = ClusterPolicy {
            storm_minimum: minimum,
            storm_percent: 20,
            storm_per_namespace: per_namespace,
            storm_cooldown: SignedDuration::from_secs(cooldown),
            ..ClusterPolicy::default()
        };
        let index: FleetIndex = peers.iter().map(|(number, peer)| (key(*number), peer.clone())).collect();
        let (me, _) = peers.first_key_value().unwrap();
        let fleet = index.seen_by(&key(*me)).with_own(own);
        let mut as_it_is = peers.clone();
        as_it_is.get_mut(me).unwrap().episode = own;
        let storm = fleet.storm(&policy, &Moment::new(at(NOW)));
        let whole = last_stormy(&as_it_is, &policy, None);
        let scope = if whole.is_some() { Scope::Cluster } else { Scope::Namespace };
        match whole.or_else(|| last_stormy(&as_it_is, &policy, Some(me % 3))) {
            None => prop_assert!(storm.is_none(), "{storm:?}"),
            Some((true, _)) => prop_assert!(storm.is_some_and(|block| block.message.contains("unhealthy at once in "))),
            Some((false, end)) => {
                let until = format!("{end:.0}");
                prop_assert!(storm.as_ref().is_some_and(|block| block.message.contains(&until)), "{end} {storm:?}");
            }
        }
        prop_assert_eq!(fleet.scope(&policy, &Moment::new(at(NOW))), scope);

        let others = |one: usize| as_it_is.iter().filter(move |(number, _)| *number % 3 == one && *number != me);
        let recent = |peer: &PeerStatus| peer.in_flight.is_some_and(|since| since > at(NOW - 1_800));
        let of_others = |one: usize| others(one).filter(|(_, peer)| recent(peer)).count().min(share(limit));
        let used = fleet.in_flight(limit, at(NOW));
        prop_assert_eq!(used.own, others(me % 3).filter(|(_, peer)| peer.in_flight.is_some()).count());
        let expected: usize = (0..3).filter(|one| *one != me % 3).map(of_others).sum();
        prop_assert_eq!(used.others.min(limit), expected.min(limit));

        let begun = |one: usize| {
            let all = as_it_is.iter().filter(move |(number, _)| *number % 3 == one);
            all.flat_map(|(_, peer)| &peer.actions).filter(|time| **time > at(NOW - 60)).count()
        };
        let used = fleet.actions_within(SignedDuration::from_secs(60), limit, at(NOW));
        prop_assert_eq!(used.own, begun(me % 3).min(limit));
        let expected: usize = (0..3).filter(|one| *one != me % 3).map(|one| begun(one).min(share(limit))).sum();
        prop_assert_eq!(used.others.min(limit), expected.min(limit));
    }

    /// Whatever the services of one namespace are or claim to be: a service of another, of which no more are unhealthy than are no
    /// storm, is held by no storm and by no budget.
    #[test]
    fn no_namespace_holds_the_services_of_another(
        theirs in vec(peer(), 0..40), claims in any::<bool>(), others in 0..3_usize, well in 0..5_usize,
        (percent, per_namespace) in (1..100_u32, 1..=100_u32), (in_flight, a_minute) in (2..6_u32, 2..6_u32),
    ) {
        let mut policy = policy();
        policy.cluster.storm_percent = percent;
        policy.cluster.storm_per_namespace = per_namespace;
        policy.cluster.storm_minimum = 1 + u32::try_from(others).unwrap();
        (policy.cluster.max_in_flight, policy.cluster.max_actions_per_minute) = (in_flight, a_minute);
        let theirs = theirs.into_iter().enumerate().map(|(number, peer)| {
            // All of them together, as grave as can be.
            let worst = PeerStatus {
                counts: true, held: false, in_flight: Some(at(NOW)), actions: vec![at(NOW); 5],
                ..unhealthy_since(at(NOW - 60))
            };
            (("mallory".to_owned(), format!("app-{number}")), if claims { worst } else { peer })
        });
        let unhealthy = || unhealthy_since(at(NOW - 60));
        let mine = (("shop".to_owned(), "api".to_owned()), unhealthy());
        let sick = (0..others).map(|number| ((format!("team-{number}"), "web".to_owned()), unhealthy()));
        let fine = (0..well).map(|number| {
            (("shop".to_owned(), format!("web-{number}")), PeerStatus { counts: true, ..PeerStatus::default() })
        });
        let index: FleetIndex = theirs.chain([mine]).chain(sick).chain(fine).collect();
        let mut seen = sick_service();
        seen.fleet = index.seen_by(&("shop".to_owned(), "api".to_owned()));
        let decision = decide(&policy, &seen, at(NOW));
        prop_assert_eq!(decision.blocked_by(), &[]);
        prop_assert!(decision.plan().is_some(), "it acts");
    }
}

/// The service `shop/api`, which has been sick for so long that something is to be done.
fn sick_service() -> Snapshot {
    let mut seen = sick(workload(WorkloadKind::Deployment, 2));
    seen.state.health.episode = Some(Episode { since: at(NOW - 60), until: None });
    seen
}

/// `shop/api` beside the services of another namespace: what it would do now is held for this.
fn held_by<'a>(others: impl IntoIterator<Item = (&'a str, PeerStatus)>, limits: &ClusterPolicy) -> Vec<Reason> {
    let mine = (("shop".to_owned(), "api".to_owned()), unhealthy_since(at(NOW - 60)));
    let named = |(name, peer): (&str, PeerStatus)| {
        let (namespace, name) = name.split_once('/').unwrap();
        ((namespace.to_owned(), name.to_owned()), peer)
    };
    let index: FleetIndex = others.into_iter().map(named).chain([mine]).collect();
    let mut seen = sick_service();
    seen.fleet = index.seen_by(&("shop".to_owned(), "api".to_owned()));
    let decision = decide(&Policy { cluster: limits.clone(), ..policy() }, &seen, at(NOW));
    decision.blocked_by().iter().map(|block| block.reason).collect()
}

#[test]
fn a_storm_is_one_namespace_s_own_until_several_are_hit() {
    let ill = |name| (name, unhealthy_since(at(NOW - 60)));
    let never_well = |name| (name, PeerStatus { counts: false, ..unhealthy_since(at(NOW - 60)) });
    let theirs = ["m/a", "m/b", "m/c", "m/d", "m/e", "m/f", "m/g", "m/h"];
    let limits = ClusterPolicy::default();
    let storm = vec![Reason::StormHold];
    assert_eq!(held_by(theirs.map(ill), &limits), [], "eight of one other namespace");
    assert_eq!(held_by(["shop/a", "shop/b"].map(ill), &limits), storm, "three of three of its own");
    assert_eq!(held_by(["shop/a", "shop/b"].map(never_well), &limits), [], "two that were never well, or do not act");
    assert_eq!(held_by(["m/a", "n/b", "o/c"].map(ill), &limits), storm, "four of four, each in its namespace");
    assert_eq!(held_by(["m/a", "m/b", "n/a", "n/b"].map(ill), &limits), storm, "two each in two others");
    assert_eq!(held_by(theirs.map(ill).into_iter().chain([ill("n/a")]), &limits), [], "eight of one, and one");
}

#[test]
fn places_are_shared_and_a_long_repair_takes_nobodys_but_its_own() {
    let repairs =
        |name, ago: i64| (name, PeerStatus { counts: true, in_flight: Some(at(NOW - ago)), ..PeerStatus::default() });
    let budget = vec![Reason::ClusterBudget];
    let three = ClusterPolicy::default();
    let one = ClusterPolicy { max_in_flight: 1, ..ClusterPolicy::default() };
    assert_eq!(held_by(["m/a", "m/b", "m/c"].map(|name| repairs(name, 60)), &three), [], "their share is two");
    assert_eq!(held_by(["m/a", "n/b", "o/c"].map(|name| repairs(name, 60)), &three), budget, "three others hold all");
    assert_eq!(held_by(["m/a", "n/b", "o/c"].map(|name| repairs(name, 1_801)), &three), [], "for too long");
    assert_eq!(held_by([repairs("m/a", 60)], &one), budget, "the only place");
    assert_eq!(held_by([repairs("m/a", 1_801)], &one), [], "the only place, for too long");
    let idle = |name| (name, PeerStatus { counts: true, ..PeerStatus::default() });
    let own = ["shop/a", "shop/b"].map(|name| repairs(name, 3_600));
    assert_eq!(held_by(own.clone(), &three), [], "alone, it may have all three");
    assert_eq!(held_by(own.into_iter().chain([idle("m/a")]), &three), budget, "its own share, however long they take");
}

#[test]
fn the_last_place_is_left_to_others_for_a_moment() {
    let one = ClusterPolicy { max_in_flight: 1, ..ClusterPolicy::default() };
    let over = |ago: i64| {
        let status = PeerStatus { counts: true, concluded: Some(at(NOW - ago)), ..PeerStatus::default() };
        ("shop/web", status)
    };
    let waits = || ("m/a", unhealthy_since(at(NOW - 60)));
    let idle = ("m/a", PeerStatus { counts: true, ..PeerStatus::default() });
    assert_eq!(held_by([over(20), waits()], &one), [Reason::ClusterBudget]);
    assert_eq!(held_by([over(30), waits()], &one), []);
    assert_eq!(held_by([over(20), idle], &one), [], "nobody else wants it");
}

#[test]
fn actions_a_minute_are_shared() {
    let acted = |name, times: usize| {
        (name, PeerStatus { counts: true, actions: vec![at(NOW - 20); times], ..PeerStatus::default() })
    };
    let limits = ClusterPolicy::default();
    assert_eq!(held_by([acted("m/a", 60), acted("m/b", 60)], &limits), [], "their share is five");
    assert_eq!(held_by([acted("m/a", 60), acted("n/b", 60)], &limits), [Reason::ClusterBudget]);
    assert_eq!(held_by([acted("shop/a", 5), acted("m/b", 1)], &limits), [Reason::ClusterBudget], "its own share");
    assert_eq!(held_by([acted("shop/a", 9)], &limits), [], "alone");
    assert_eq!(held_by([acted("shop/a", 10)], &limits), [Reason::ClusterBudget]);
}
