//! Which faults come how often, and what is drawn for one request.

use std::time::Duration;

use jiff::SignedDuration;

use super::Faults;
use crate::api::Status;
use crate::random::Random;

/// How often each fault comes, in thousandths of the requests it can come to. Of the first group at most one comes to a
/// request, of the watches' at most one to a watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Each request takes up to this long, each length being as likely.
    pub latency: Duration,
    /// The connection is closed and nothing was done.
    pub drop_before: u64,
    /// It was done and the connection is closed before the answer.
    pub drop_after: u64,
    /// 409 `Conflict` to a write.
    pub conflict: u64,
    /// 429, half of them with `Retry-After`.
    pub too_many: u64,
    /// 500, in half of the cases after it was done.
    pub internal: u64,
    /// 503.
    pub unavailable: u64,
    /// 504, in half of the cases after it was done.
    pub timeout: u64,
    /// 410 `Expired` as the answer to a watch or to the next page of a list.
    pub gone: u64,
    /// A list or watch that any version satisfies (`resourceVersion=0`) is of an older one, as from a server that lags.
    pub stale: u64,
    /// The clock jumps.
    pub clock_jump: u64,
    /// How far the clock jumps at most, forth or back.
    pub largest_jump: Duration,
    /// A watch ends after a few events, half of them in the middle of one.
    pub watch_cut: u64,
    /// A watch says nothing any more and stays open.
    pub watch_stall: u64,
    /// A watch ends with an `ERROR` event of code 410.
    pub watch_gone: u64,
    /// Events of a watch come twice.
    pub watch_replay: u64,
    /// Changes of one object that come close together come as one event.
    pub watch_merge: u64,
    /// The client dies.
    pub crash: Option<Crash>,
}

/// When the client dies: from this request on nothing is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The number of the request, from 1.
    pub request: u64,
    /// Whether that request is still carried out.
    pub after_commit: bool,
}

impl Plan {
    /// No faults.
    pub fn none() -> Plan {
        Plan::default()
    }

    /// Some of everything but crashes and jumps of the clock: about a third of the requests and most watches suffer.
    pub fn storm() -> Plan {
        Plan {
            latency: Duration::from_millis(200),
            drop_before: 40,
            drop_after: 40,
            conflict: 60,
            too_many: 50,
            internal: 30,
            unavailable: 30,
            timeout: 30,
            gone: 40,
            stale: 100,
            watch_cut: 200,
            watch_stall: 100,
            watch_gone: 100,
            watch_replay: 200,
            watch_merge: 200,
            ..Plan::default()
        }
    }
}

/// What a request asks for, as far as faults care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) writes: bool,
    pub(super) watches: bool,
    pub(super) continues: bool,
    pub(super) any_version: bool,
}

/// What happens to one request.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) number: u64,
    pub(super) latency: Duration,
    pub(super) fault: Fault,
    pub(super) fate: Fate,
    pub(super) jump: Option<SignedDuration>,
}

/// What happens instead of the answer.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    None,
    /// The request was made by a client that is dead.
    Silence,
    Crash {
        after_commit: bool,
    },
    DropBefore,
    DropAfter,
    /// An error, after the request was carried out or instead.
    Error {
        status: Box<Status>,
        after_commit: bool,
    },
    /// An answer as of this resource version.
    Stale(u64),
}

/// What happens to a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Well,
    /// Ends after so many events; the last one is cut in two.
    Cut {
        after: u64,
        torn: bool,
    },
    Stall {
        after: u64,
    },
    Gone {
        after: u64,
    },
    Replay,
    Merge,
}

impl Faults {
    /// Draws what happens to the next request.
    pub(super) fn decide(&self, asked: Asked) -> Decision {
        let (number, paused) = {
            let mut state = self.state();
            state.requests += 1;
            (state.requests, state.paused)
        };
        let plan = &self.shared.plan;
        let random = self.random(number);
        let mut decision =
            Decision { number, latency: Duration::ZERO, fault: Fault::None, fate: Fate::Well, jump: None };
        if self.has_crashed() {
            decision.fault = Fault::Silence;
            return decision;
        }
        if let Some(crash) = plan.crash.filter(|crash| number >= crash.request) {
            decision.fault = Fault::Crash { after_commit: crash.after_commit };
            return decision;
        }
        if paused {
            return decision;
        }
        let most = u64::try_from(plan.latency.as_millis()).unwrap_or(u64::MAX);
        decision.latency = Duration::from_millis(random.below(most.saturating_add(1)));
        decision.fault = self.draw_fault(asked, &random);
        if asked.watches {
            decision.fate = draw_fate(plan, &random);
        }
        if random.below(1000) < plan.clock_jump {
            decision.jump = Some(draw_jump(plan.largest_jump, &random));
        }
        decision
    }

    fn draw_fault(&self, asked: Asked, random: &Random) -> Fault {
        let plan = &self.shared.plan;
        let after_commit = random.below(2) == 0;
        let seconds = random.below(3) + 1;
        let age = random.below(20) + 1;
        let mut drawn = random.below(1000);
        let mut comes = |thousandths: u64| match drawn.checked_sub(thousandths) {
            Some(rest) => {
                drawn = rest;
                false
            }
            None => std::mem::replace(&mut drawn, u64::MAX) < thousandths,
        };
        if comes(plan.drop_before) {
            return Fault::DropBefore;
        }
        if comes(plan.drop_after) {
            return Fault::DropAfter;
        }
        if comes(plan.conflict) {
            let why = "Operation cannot be fulfilled: the object has been modified; please apply your changes to the \
                       latest version and try again";
            return if asked.writes { error(Status::new(409, "Conflict", why), false) } else { Fault::None };
        }
        if comes(plan.too_many) {
            let why = "Too many requests, please try again later.";
            let mut status = Status::new(429, "TooManyRequests", why);
            status.retry_after = after_commit.then(|| u32::try_from(seconds).unwrap_or(1));
            return error(status, false);
        }
        if comes(plan.internal) {
            return error(Status::internal("Internal error occurred: etcdserver: request timed out"), after_commit);
        }
        if comes(plan.unavailable) {
            let why = "the server is currently unable to handle the request";
            return error(Status::new(503, "ServiceUnavailable", why), false);
        }
        if comes(plan.timeout) {
            let why = "Timeout: request did not complete within requested timeout - context deadline exceeded";
            return error(Status::new(504, "Timeout", why), after_commit);
        }
        if comes(plan.gone) {
            let can = asked.watches || asked.continues;
            return if can { error(Status::expired("too old resource version"), false) } else { Fault::None };
        }
        if comes(plan.stale) && asked.any_version {
            return Fault::Stale(self.shared.api.store().rv().saturating_sub(age).max(1));
        }
        Fault::None
    }
}

fn error(status: Status, after_commit: bool) -> Fault {
    Fault::Error { status: Box::new(status), after_commit }
}

fn draw_fate(plan: &Plan, random: &Random) -> Fate {
    let after = random.below(6);
    let torn = random.below(2) == 0;
    let drawn = random.below(1000);
    let fates = [
        (plan.watch_cut, Fate::Cut { after, torn }),
        (plan.watch_stall, Fate::Stall { after }),
        (plan.watch_gone, Fate::Gone { after }),
        (plan.watch_replay, Fate::Replay),
        (plan.watch_merge, Fate::Merge),
    ];
    let mut bound = 0;
    for (thousandths, fate) in fates {
        bound += thousandths;
        if drawn < bound {
            return fate;
        }
    }
    Fate::Well
}

fn draw_jump(most: Duration, random: &Random) -> SignedDuration {
    let most = i64::try_from(most.as_millis()).unwrap_or(i64::MAX / 4);
    let width = most.saturating_mul(2).saturating_add(1).unsigned_abs();
    let drawn = i64::try_from(random.below(width)).unwrap_or(0);
    SignedDuration::from_millis(drawn - most)
}
