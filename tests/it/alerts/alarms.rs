//! Alarms as a play of chance: whatever comes in whatever order, receivers are told right.

use jiff::{SignedDuration, Timestamp};
use kubeheal::{
    api::status::HealedServiceStatus,
    healing::{
        alarm::{Delivered, Delivery, Notice, Sink, Subject},
        decide,
        escalation::Severity,
        snapshot::{Neighbour, WorkloadKind},
    },
    observe::memory::recall,
    publish::status::render,
};
use proptest::prelude::*;

use crate::{
    core::cases,
    sketch::{at, pod, policy, sick, snapshot, workload},
};

/// One moment of the play.
#[derive(Debug, Clone, Copy)]
struct Beat {
    seconds: u16,
    sick: bool,
    /// Others are unwell as well, and so many that it is a storm.
    storm: bool,
    /// What is sent arrives, and what became of it is heard.
    arrives: bool,
    heard: bool,
}

fn beat() -> impl Strategy<Value = Beat> {
    (1..900_u16, any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.7), prop::bool::weighted(0.8))
        .prop_map(|(seconds, sick, storm, arrives, heard)| Beat { seconds, sick, storm, arrives, heard })
}

/// A receiver that knows what it has been told.
#[derive(Debug, Default)]
struct Receiver {
    firing: Option<(Severity, Timestamp)>,
    pages: Vec<(Timestamp, Severity)>,
    ends: usize,
}

impl Receiver {
    fn hear(&mut self, notice: &Notice, now: Timestamp) {
        if notice.resolved.is_some() {
            self.ends += usize::from(self.firing.take().is_some());
        } else {
            self.pages.push((now, notice.severity));
            self.firing = Some((notice.severity, now));
        }
    }
}

fn neighbour(name: &str, unwell: bool, now: Timestamp) -> Neighbour {
    let begin = now.checked_sub(SignedDuration::from_secs(30)).unwrap();
    Neighbour {
        key: ("shop".to_owned(), name.to_owned()),
        unhealthy_since: unwell.then_some(begin),
        ..Neighbour::default()
    }
}

/// Plays all beats; returns what the receiver knows of the service and of the storm, and the status at the end.
fn play(beats: &[Beat]) -> ([Receiver; 2], HealedServiceStatus) {
    let sinks = [Sink { name: "hook".to_owned(), destination: "somewhere".to_owned(), kept_alive: false }];
    let (mut receivers, mut status) = ([Receiver::default(), Receiver::default()], HealedServiceStatus::default());
    let (mut now, mut news) = (at(0), Vec::new());
    for beat in beats {
        now = now.checked_add(SignedDuration::from_secs(i64::from(beat.seconds))).unwrap();
        let state = workload(WorkloadKind::Deployment, 2);
        let mut seen =
            if beat.sick { sick(state) } else { snapshot(state, vec![pod("api-0", true), pod("api-1", true)]) };
        let pods_known = seen.memory.containers.clone();
        seen.memory = recall(&status);
        if beat.sick {
            seen.memory.containers = pods_known;
        }
        seen.services = ["api", "b", "c", "d"].map(|name| neighbour(name, beat.storm, now)).to_vec();
        seen.audience.repeat = SignedDuration::from_secs(3600);
        seen.audience.sinks = sinks.to_vec().into();
        seen.audience.deliveries = std::mem::take(&mut news);
        let decision = decide(&policy(), &seen, now);
        status = render(&decision, &status, Some(1), None, None, now);
        (seen.memory, seen.audience.deliveries) = (recall(&status), Vec::new());
        let again = decide(&policy(), &seen, now);
        assert_eq!(again.memory.alarms, decision.memory.alarms, "deciding again changes nothing");
        for notice in decision.notices.iter().filter(|notice| notice.due) {
            let delivery = |result| Delivery { subject: notice.subject, sink: "hook".to_owned(), result };
            if !beat.arrives {
                news.push(delivery(Delivered::Problem("it answered 500".to_owned())));
                continue;
            }
            receivers[usize::from(notice.subject == Subject::Storm)].hear(notice, now);
            let result = match notice.resolved {
                Some(_) => Delivered::Resolved,
                None => Delivered::Firing(now, notice.severity),
            };
            news.extend(beat.heard.then(|| delivery(result)));
        }
    }
    (receivers, status)
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn after_lasting_health_everybody_knows_that_it_is_over(mut beats in proptest::collection::vec(beat(), 1..60)) {
        let well = Beat { seconds: 400, sick: false, storm: false, arrives: true, heard: true };
        beats.extend([well; 6]);
        let (receivers, status) = play(&beats);
        prop_assert!(receivers.iter().all(|receiver| receiver.firing.is_none()), "{:?}", receivers);
        prop_assert!(status.alerts.is_empty(), "{:?}", status.alerts);
    }

    #[test]
    fn who_hears_well_is_paged_again_only_when_it_is_louder_or_time(beats in proptest::collection::vec(beat(), 1..80)) {
        let reliable: Vec<Beat> = beats.iter().map(|beat| Beat { arrives: true, heard: true, ..*beat }).collect();
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
