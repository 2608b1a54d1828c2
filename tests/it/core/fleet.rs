//! The sum over all services: kept up to date one by one, it says what counting all of them anew would say.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kubeheal_core::model::{
    alert::Receiver,
    fleet::{FleetIndex, PeerStatus, ServiceKey},
    moment::Moment,
    policy::ClusterPolicy,
    state::Episode,
};
use proptest::{collection::vec, option, prelude::*};

use super::cases;
use crate::support::fixtures::at;

/// What becomes of which service: another status, or its end.
type News = (usize, Option<PeerStatus>);

const SERVICES: usize = 6;
const NOW: i64 = 1_000;
const DESTINATIONS: [&str; 2] = ["ops", "shop"];

fn key(number: usize) -> ServiceKey {
    ("shop".to_owned(), format!("app-{number}"))
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
    (episode(), prop::bool::weighted(0.2), any::<bool>(), actions, receivers, destinations()).prop_map(
        |(episode, held, in_flight, actions, receivers, notifies_of_storm)| PeerStatus {
            episode,
            held,
            in_flight,
            actions,
            receivers: receivers.into(),
            notifies_of_storm,
            shares: Vec::new(),
        },
    )
}

/// Whether the service notifies a destination of a storm, told by asking each other one.
fn comes_first(peers: &BTreeMap<usize, PeerStatus>, me: usize, destination: &str) -> bool {
    peers.iter().filter(|(number, _)| **number != me).all(|(number, peer)| {
        let is_unhealthy = peer.episode.is_some_and(|episode| episode.until.is_none()) && !peer.held;
        let shares = peer.receivers.iter().any(|receiver| receiver.destination == destination);
        let notifies = peer.notifies_of_storm.iter().any(|one| one == destination);
        !(notifies || is_unhealthy && shares && *number < me)
    })
}

fn news() -> impl Strategy<Value = Vec<News>> {
    vec((0..SERVICES, option::weighted(0.9, peer())), 1..40)
}

/// The same, counted from the statuses themselves at every instant at which anything could change.
fn last_stormy(peers: &BTreeMap<usize, PeerStatus>, policy: &ClusterPolicy) -> Option<(bool, Timestamp)> {
    let limit = (peers.len() * policy.storm_percent as usize).div_ceil(100).max(policy.storm_minimum as usize);
    let counted: Vec<Episode> = peers.values().filter(|peer| !peer.held).filter_map(|peer| peer.episode).collect();
    let unhealthy_at = |time: Timestamp| {
        let covers = |episode: &&Episode| {
            let end = episode.until.filter(|&end| end >= episode.since).unwrap_or(Timestamp::MAX);
            episode.since <= time && time < end
        };
        counted.iter().filter(covers).count()
    };
    if unhealthy_at(at(NOW)) > limit {
        return Some((true, at(NOW)));
    }
    let begin = at(NOW).checked_sub(policy.storm_cooldown).unwrap();
    let mut stormy = None;
    let mut seconds = begin;
    while seconds < at(NOW) {
        let next = seconds.checked_add(SignedDuration::from_secs(1)).unwrap();
        if unhealthy_at(seconds) > limit && unhealthy_at(next) <= limit {
            stormy = Some((false, next));
        }
        seconds = next;
    }
    stormy
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
                prop_assert_eq!(seen.is_first_at(destination), comes_first(&peers, number, destination), "{}", number);
            }
        }
    }

    #[test]
    fn a_storm_is_seen_as_by_counting_every_second(
        peers in prop::collection::btree_map(0..SERVICES, peer(), 1..SERVICES), own in episode(),
        minimum in 0..4_u32, cooldown in 1..600_i64,
    ) {
        let policy = ClusterPolicy {
            storm_minimum: minimum,
            storm_percent: 20,
            storm_cooldown: SignedDuration::from_secs(cooldown),
            ..ClusterPolicy::default()
        };
        let index: FleetIndex = peers.iter().map(|(number, peer)| (key(*number), peer.clone())).collect();
        let (me, _) = peers.first_key_value().unwrap();
        let fleet = index.seen_by(&key(*me)).with_own(own);
        let mut as_it_is = peers.clone();
        as_it_is.get_mut(me).unwrap().episode = own;
        let storm = fleet.storm(&policy, &Moment::new(at(NOW)));
        match last_stormy(&as_it_is, &policy) {
            None => prop_assert!(storm.is_none(), "{storm:?}"),
            Some((true, _)) => prop_assert!(storm.is_some_and(|block| block.message.contains("unhealthy at once, more than"))),
            Some((false, end)) => {
                let goes_on = at(NOW) < end.checked_add(policy.storm_cooldown).unwrap();
                prop_assert_eq!(storm.is_some(), goes_on, "{} {:?}", end, storm);
                let until = format!("{end:.0}");
                prop_assert!(storm.is_none_or(|block| block.message.contains(&until)));
            }
        }
        let others = as_it_is.iter().filter(|(number, _)| *number != me);
        prop_assert_eq!(fleet.others_in_flight(), others.filter(|(_, peer)| peer.in_flight).count());
        let lately = as_it_is.values().flat_map(|peer| &peer.actions).filter(|time| **time > at(NOW - 60)).count();
        prop_assert_eq!(fleet.actions_lately(at(NOW)).0, lately);
    }
}
