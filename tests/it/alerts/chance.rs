//! Alarms as a play of chance: whatever comes in whatever order, receivers are told right.

use jiff::{SignedDuration, Timestamp};
use kubeheal::{
    api::status::HealedServiceStatus,
    status::{load, render},
};
use kubeheal_core::{
    decide,
    model::{
        alert::{Delivered, Delivery, Notice, Receiver, Severity, Subject},
        fleet::PeerStatus,
        snapshot::WorkloadKind,
    },
};
use proptest::prelude::*;

use crate::{
    core::cases,
    support::fixtures::{at, beside, fleet, pod, policy, sick, snapshot, unhealthy_since, workload},
};

/// One moment of the play.
#[derive(Debug, Clone, Copy)]
struct Step {
    seconds: u16,
    sick: bool,
    /// Others are unhealthy as well, and so many that it is a storm.
    storm: bool,
    /// What is sent arrives, and what became of it is heard.
    arrives: bool,
    heard: bool,
}

fn step() -> impl Strategy<Value = Step> {
    (1..900_u16, any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.7), prop::bool::weighted(0.8))
        .prop_map(|(seconds, sick, storm, arrives, heard)| Step { seconds, sick, storm, arrives, heard })
}

/// A receiver that knows what it has been told.
#[derive(Debug, Default)]
struct Listener {
    firing: Option<(Severity, Timestamp)>,
    pages: Vec<(Timestamp, Severity)>,
    ends: usize,
}

impl Listener {
    fn hear(&mut self, notice: &Notice, now: Timestamp) {
        if notice.resolved.is_some() {
            self.ends += usize::from(self.firing.take().is_some());
        } else {
            self.pages.push((now, notice.severity));
            self.firing = Some((notice.severity, now));
        }
    }
}

fn peer(unhealthy: bool, now: Timestamp) -> PeerStatus {
    let begin = now.checked_sub(SignedDuration::from_secs(30)).unwrap();
    if unhealthy { unhealthy_since(begin) } else { PeerStatus { counts: true, ..PeerStatus::default() } }
}

/// Plays all steps; returns what the receiver knows of the service and of the storm, and the status at the end.
fn play(steps: &[Step]) -> ([Listener; 2], HealedServiceStatus) {
    let sinks = [Receiver { name: "hook".to_owned(), destination: "somewhere".to_owned(), kept_alive: false }];
    let (mut receivers, mut status) = ([Listener::default(), Listener::default()], HealedServiceStatus::default());
    let (mut now, mut news) = (at(0), Vec::new());
    for step in steps {
        now = now.checked_add(SignedDuration::from_secs(i64::from(step.seconds))).unwrap();
        let state = workload(WorkloadKind::Deployment, 2);
        let mut seen =
            if step.sick { sick(state) } else { snapshot(state, vec![pod("api-0", true), pod("api-1", true)]) };
        let pods_known = seen.state.observed.containers.clone();
        seen.state = load(&status);
        if step.sick {
            seen.state.observed.containers = pods_known;
        }
        seen.fleet = fleet(["api", "b", "c", "d"].map(|name| (name, peer(step.storm, now))));
        seen.receivers.repeat = SignedDuration::from_secs(3600);
        seen.receivers.list = sinks.to_vec().into();
        seen.receivers.deliveries = std::mem::take(&mut news);
        let decision = decide(&policy(), &seen, now);
        status = render(&decision, &status, beside(), now);
        (seen.state, seen.receivers.deliveries) = (load(&status), Vec::new());
        let again = decide(&policy(), &seen, now);
        assert_eq!(again.state.alerts, decision.state.alerts, "deciding again changes nothing");
        for notice in decision.notices.iter().filter(|notice| notice.due) {
            let delivery = |result| Delivery { subject: notice.subject, receiver: "hook".to_owned(), result };
            if !step.arrives {
                news.push(delivery(Delivered::Problem("it answered 500".to_owned())));
                continue;
            }
            receivers[usize::from(notice.subject == Subject::Storm)].hear(notice, now);
            let result = match notice.resolved {
                Some(_) => Delivered::Resolved,
                None => Delivered::Firing(now, notice.severity),
            };
            news.extend(step.heard.then(|| delivery(result)));
        }
    }
    (receivers, status)
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn after_lasting_health_everybody_knows_that_it_is_over(mut steps in proptest::collection::vec(step(), 1..60)) {
        let well = Step { seconds: 400, sick: false, storm: false, arrives: true, heard: true };
        steps.extend([well; 6]);
        let (receivers, status) = play(&steps);
        prop_assert!(receivers.iter().all(|receiver| receiver.firing.is_none()), "{:?}", receivers);
        prop_assert!(status.memory.alerts.is_empty(), "{:?}", status.memory.alerts);
    }

    #[test]
    fn who_hears_well_is_paged_again_only_when_it_is_louder_or_time(steps in proptest::collection::vec(step(), 1..80)) {
        let reliable: Vec<Step> = steps.iter().map(|step| Step { arrives: true, heard: true, ..*step }).collect();
        let ([receiver, _], _) = play(&reliable);
        let mut last: Option<(Timestamp, Severity)> = None;
        let mut ends = receiver.ends;
        for (time, severity) in receiver.pages {
            if let Some((before, loudness)) = last {
                let waited = time.duration_since(before) >= SignedDuration::from_secs(3600);
                let new = !waited && severity <= loudness;
                if new {
                    prop_assert!(ends > 0, "paged again at {time} without need");
                    ends -= 1;
                }
            }
            last = Some((time, severity));
        }
    }
}
