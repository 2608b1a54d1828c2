//! What happened, for people: read from the statuses of the services and the readiness of the watched workload.

use std::{collections::BTreeSet, time::Duration};

use kubeheal::api::status::{Finding, HealedServiceStatus, HealthState};
use kubeheal_core::model::state::HistoryEntry;
use serde::Serialize;

use super::{
    chronicle::{Chronicle, is_step},
    observer::Change,
    story::Story,
};

/// Health and readiness that end sooner are passed over.
const LASTING: Duration = Duration::from_secs(60);

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mark {
    /// Something broke.
    Broke,
    /// kubeheal noticed.
    Saw,
    /// kubeheal did something, or learned what came of it.
    Did,
    /// kubeheal held still, and why.
    Held,
    /// The breaker changed.
    Breaker,
    /// Somebody should know.
    Warned,
    /// It was well again.
    Well,
    /// The watched workload has more or fewer ready pods.
    Ready,
}

impl Mark {
    /// What comes first of what happens within the same second. Actions and the breaker keep their own order.
    fn rank(self) -> u8 {
        match self {
            Self::Broke => 0,
            Self::Saw | Self::Warned => 1,
            Self::Did | Self::Breaker => 2,
            Self::Held => 3,
            Self::Well | Self::Ready => 4,
        }
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    /// Seconds since the beginning of the story.
    pub(crate) at: u64,
    /// What kind of thing it is.
    pub(crate) mark: Mark,
    /// Who it is about; several services when the same happened to each.
    pub(crate) who: Vec<String>,
    /// What happened.
    pub(crate) text: String,
}

/// The whole timeline, in the order of time.
pub(crate) fn timeline(story: &Story, chronicle: &Chronicle, readiness: &[Change]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for one in story.breaks.iter().map(|one| &one.value) {
        let told = |what: &String| Entry {
            at: one.at.duration().as_secs(),
            mark: Mark::Broke,
            who: Vec::new(),
            text: what.clone(),
        };
        entries.extend(one.what.as_ref().map(told));
    }
    for (name, seen) in chronicle.services() {
        entries.extend(Teller::new(name).tell(seen));
    }
    entries.extend(of_readiness(story, readiness));
    entries.sort_by_key(|entry| (entry.at, entry.mark.rank()));
    merge(entries)
}

/// Follows one service from status to status.
struct Teller<'a> {
    name: &'a str,
    entries: Vec<Entry>,
    /// Findings told since the service was last healthy.
    told: BTreeSet<String>,
    /// Reasons to hold still told since the service was last healthy.
    held: BTreeSet<String>,
    /// Health as it was last told.
    health: Option<HealthState>,
}

impl<'a> Teller<'a> {
    fn new(name: &'a str) -> Self {
        Self { name, entries: Vec::new(), told: BTreeSet::new(), held: BTreeSet::new(), health: None }
    }

    fn tell(mut self, seen: &[(Duration, HealedServiceStatus)]) -> Vec<Entry> {
        let nothing = HealedServiceStatus::default();
        let mut old = &nothing;
        for (index, (at, new)) in seen.iter().enumerate() {
            let leaves = seen.iter().skip(index).find(|(_, later)| later.health != new.health);
            let lasts = leaves.is_none_or(|(left, _)| left.saturating_sub(*at) >= LASTING);
            let at = at.as_secs();
            self.findings(at, new);
            self.history(at, old, new);
            self.holds(at, new);
            self.conditions(at, old, new);
            // A crashing service is well for a moment each time: only what lasts is told.
            if lasts || new.health != Some(HealthState::Healthy) {
                self.health(at, new);
            }
            old = new;
        }
        self.entries
    }

    fn push(&mut self, at: u64, mark: Mark, text: String) {
        self.entries.push(Entry { at, mark, who: vec![self.name.to_owned()], text });
    }

    /// Trouble is told once, however many pods have it, until the service is well again.
    fn findings(&mut self, at: u64, new: &HealedServiceStatus) {
        if self.health == Some(HealthState::Healthy) {
            self.told.retain(|key| new.findings.iter().any(|finding| named(finding) == *key));
        }
        for finding in &new.findings {
            let key = named(finding);
            if self.told.insert(key.clone()) {
                self.push(at, Mark::Saw, format!("{key}: {}", finding.message));
            }
        }
    }

    fn history(&mut self, at: u64, old: &HealedServiceStatus, new: &HealedServiceStatus) {
        let same = |a: &HistoryEntry, b: &HistoryEntry| a.time == b.time && a.step == b.step && a.target == b.target;
        for entry in &new.history {
            let known = old.history.iter().find(|known| same(known, entry));
            let target = entry.target.clone().unwrap_or_default();
            match known {
                None if is_step(entry) => {
                    let cause = entry.cause.as_deref().unwrap_or("unknown");
                    self.push(at, Mark::Did, format!("{} {target} ({cause})", entry.step));
                }
                None => self.push(at, Mark::Breaker, entry.step.clone()),
                Some(known) if known.outcome != entry.outcome => {
                    self.push(at, Mark::Did, format!("{} {target}: {}", entry.step, entry.outcome));
                }
                Some(_) => {}
            }
        }
    }

    /// A reason is told once until the service is well again, however often it comes and goes.
    fn holds(&mut self, at: u64, new: &HealedServiceStatus) {
        if self.health == Some(HealthState::Healthy) {
            self.held.retain(|reason| new.blocked_by.iter().any(|block| block.reason == *reason));
        }
        for block in &new.blocked_by {
            // What follows from our own action was told with it, and what is over in a moment is not worth a word.
            let passing = ["ActionInFlight", "BackOff", "NotYet"].contains(&block.reason.as_str());
            if !passing && self.held.insert(block.reason.clone()) {
                self.push(at, Mark::Held, format!("{}: {}", block.reason, block.message));
            }
        }
    }

    /// Warnings that nobody else tells: a person is needed, a dependency is not there, a workload cannot show its health.
    fn conditions(&mut self, at: u64, old: &HealedServiceStatus, new: &HealedServiceStatus) {
        for condition in &new.conditions {
            let known = old.conditions.iter().find(|known| known.type_ == condition.type_);
            let changed =
                known.is_none_or(|known| known.status != condition.status || known.reason != condition.reason);
            let warns = match condition.type_.as_str() {
                "Stalled" => changed && condition.status == "True",
                "RemediationAllowed" => {
                    let other = known.is_none_or(|known| known.message != condition.message);
                    // With nothing to warn of it says so in these very words for every service.
                    condition.status == "True" && other && condition.message.contains(": ")
                }
                _ => false,
            };
            let repeated = new.blocked_by.iter().any(|block| block.reason == condition.reason);
            if warns && !repeated {
                self.push(at, Mark::Warned, format!("{}: {}", condition.reason, condition.message));
            }
        }
    }

    fn health(&mut self, at: u64, new: &HealedServiceStatus) {
        let Some(now) = new.health.filter(|now| self.health != Some(*now)) else { return };
        let message = new.conditions.iter().find(|condition| condition.type_ == "Ready");
        let message = message.map(|ready| ready.message.clone()).unwrap_or_default();
        let mark = match now {
            HealthState::Healthy => Mark::Well,
            HealthState::Idle | HealthState::Unhealthy => Mark::Saw,
            // On the way from one to another; what matters of it is told by findings.
            HealthState::Degraded | HealthState::Starting | HealthState::Unknown => return,
        };
        self.health = Some(now);
        self.push(at, mark, format!("{now:?}: {message}"));
    }
}

/// Cause and diagnosis of a finding.
fn named(finding: &Finding) -> String {
    let diagnosis = finding.diagnosis.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
    format!("{}{diagnosis}", finding.cause)
}

/// When the watched workload began to miss pods and when it had all again, from the first break on.
fn of_readiness(story: &Story, readiness: &[Change]) -> Vec<Entry> {
    let from = story.first_break().duration();
    let mut entries = Vec::new();
    let mut was_short = false;
    let ends = readiness.iter().skip(1).map(|change| change.at).chain([story.until.duration()]);
    let mut short_since: Vec<(Duration, Duration, &Change)> = Vec::new();
    for (change, end) in readiness.iter().zip(ends).filter(|(change, _)| change.at >= from) {
        let short = change.ready < change.wanted;
        match short_since.last_mut() {
            Some((_, until, known)) if (known.ready < known.wanted) == short => *until = end,
            _ => short_since.push((change.at, end, change)),
        }
    }
    for (at, until, change) in short_since {
        let short = change.ready < change.wanted;
        // Ready for a moment between two crashes is not worth a line; a short outage is, once.
        if short != was_short && (short || until.saturating_sub(at) >= LASTING) {
            was_short = short;
            let text = format!("{}: {} of {} pods ready", story.watch.value, change.ready, change.wanted);
            entries.push(Entry { at: at.as_secs(), mark: Mark::Ready, who: Vec::new(), text });
        }
    }
    entries
}

/// What happens to several services within a few seconds is told once.
fn merge(entries: Vec<Entry>) -> Vec<Entry> {
    const TOGETHER: u64 = 30;
    let mut merged: Vec<Entry> = Vec::new();
    for entry in entries {
        let head = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
        let same = merged.iter_mut().rev().take_while(|known| known.at + TOGETHER >= entry.at).find(|known| {
            known.mark == entry.mark
                && !entry.who.is_empty()
                && !known.who.iter().any(|who| entry.who.contains(who))
                && (known.text == entry.text || entry.mark != Mark::Did && head(&known.text) == head(&entry.text))
        });
        match same {
            Some(known) => known.who.extend(entry.who),
            None => merged.push(entry),
        }
    }
    merged
}
