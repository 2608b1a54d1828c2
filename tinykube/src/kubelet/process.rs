//! A process that follows a script: what it answers, when it ends, what it prints. Pure; time is an argument.

use std::time::Duration;

use jiff::Timestamp;

use super::probe_kind::ProbeKind;
use super::script::{Behaviour, Exit, LogLine, ProbePlan};
use super::span::{after, between};
use super::world::World;

/// The most lines one repeated log line adds to a log.
const MAX_REPEATS: u64 = 500;

/// A running process seen at one moment.
pub(crate) struct Process<'a> {
    pub(crate) behaviour: &'a Behaviour,
    /// When it started.
    pub(crate) started: Timestamp,
    /// From when the script's times count.
    pub(crate) baseline: Timestamp,
    pub(crate) world: &'a dyn World,
}

/// An answer to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Passes,
    Refused,
    TimesOut,
    Fails(Option<String>),
}

/// A process' termination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Termination {
    pub(crate) at: Timestamp,
    pub(crate) rule: usize,
}

impl Process<'_> {
    /// What it answers to a probe at `at`.
    pub(crate) fn answer(&self, kind: ProbeKind, at: Timestamp) -> Answer {
        if self.behaviour.hangs_after.is_some_and(|hangs| hangs.after(self.baseline) <= at) {
            return Answer::TimesOut;
        }
        if self.behaviour.listens_after.after(self.started) > at {
            return Answer::Refused;
        }
        let plan = self.plan(kind);
        if !self.plan_fails(plan, at) {
            Answer::Passes
        } else if plan.times_out {
            Answer::TimesOut
        } else {
            Answer::Fails(plan.message.clone())
        }
    }

    /// The next moment after `at` at which an answer may change by itself; the end of time if it does not.
    pub(crate) fn next_change(&self, kind: ProbeKind, at: Timestamp) -> Timestamp {
        let plan = self.plan(kind);
        let mut changes = vec![self.behaviour.listens_after.after(self.started)];
        changes.extend(self.behaviour.hangs_after.map(|hangs| hangs.after(self.baseline)));
        for window in &plan.fails {
            changes.extend([window.from.after(self.baseline), window.until.after(self.baseline)]);
        }
        changes.extend(self.next_flap(plan, at));
        changes.into_iter().filter(|change| *change > at).min().unwrap_or(Timestamp::MAX)
    }

    /// When and by which rule the process ends, given how often each rule has ended it already.
    pub(crate) fn termination(&self, fired: &[u32]) -> Option<Termination> {
        let rules = self.behaviour.exits.iter().enumerate();
        let terminations = rules.filter_map(|(rule, exit)| {
            let used = fired.get(rule).copied().unwrap_or(0);
            if exit.times.is_some_and(|times| used >= times) {
                return None;
            }
            let from = match &exit.while_down {
                Some(dependency) => self.world.down_since(dependency)?.max(self.baseline),
                None => self.baseline,
            };
            Some(Termination { at: exit.after.after(from), rule })
        });
        terminations
            .min_by_key(|termination| (termination.at, termination.rule))
            .filter(|termination| termination.at < Timestamp::MAX)
    }

    /// The rule of a [`Termination`].
    pub(crate) fn rule(&self, termination: &Termination) -> Option<&Exit> {
        self.behaviour.exits.get(termination.rule)
    }

    /// What the script has it print after `from` (or from the beginning) until `until`, in order.
    pub(crate) fn printed(&self, until: Timestamp) -> Vec<(Timestamp, String)> {
        let mut lines = Vec::new();
        for line in &self.behaviour.log {
            lines.extend(self.repeats(line, until).into_iter().map(|at| (at, line.text.clone())));
        }
        lines.sort_by_key(|(at, _)| *at);
        lines
    }

    fn repeats(&self, line: &LogLine, until: Timestamp) -> Vec<Timestamp> {
        let first = line.at.after(self.baseline);
        if first > until {
            return Vec::new();
        }
        let Some(every) = line.every.map(|every| millis(every.duration())).filter(|every| *every > 0) else {
            return vec![first];
        };
        let last = millis(between(first, until)) / every;
        let oldest = (last + 1).saturating_sub(MAX_REPEATS);
        let at = |n: u64| after(first, Duration::from_millis(n.saturating_mul(every)));
        (oldest..=last).map(at).collect()
    }

    fn plan(&self, kind: ProbeKind) -> &ProbePlan {
        match kind {
            ProbeKind::Startup => &self.behaviour.startup,
            ProbeKind::Liveness => &self.behaviour.liveness,
            ProbeKind::Readiness => &self.behaviour.readiness,
        }
    }

    fn plan_fails(&self, plan: &ProbePlan, at: Timestamp) -> bool {
        let in_window = plan
            .fails
            .iter()
            .any(|window| window.from.after(self.baseline) <= at && at < window.until.after(self.baseline));
        let down = plan.while_down.as_ref().is_some_and(|dependency| self.world.down_since(dependency).is_some());
        in_window || down || self.flap(plan, at).is_some_and(|flap| flap.failing)
    }

    fn next_flap(&self, plan: &ProbePlan, at: Timestamp) -> Option<Timestamp> {
        let flaps = plan.flaps.as_ref()?;
        let from = flaps.from.after(self.baseline);
        if at < from {
            return Some(from);
        }
        self.flap(plan, at).map(|flap| flap.until)
    }

    fn flap(&self, plan: &ProbePlan, at: Timestamp) -> Option<Flap> {
        let flaps = plan.flaps.as_ref()?;
        let from = flaps.from.after(self.baseline);
        if at < from {
            return None;
        }
        let (well, unwell) = (millis(flaps.passes.duration()), millis(flaps.fails.duration()));
        let cycle = well.saturating_add(unwell);
        if cycle == 0 {
            return Some(Flap { failing: true, until: Timestamp::MAX });
        }
        let passed = millis(between(from, at));
        let begin = passed / cycle * cycle;
        let failing = passed - begin >= well;
        let end = begin.saturating_add(if failing { cycle } else { well });
        Some(Flap { failing, until: after(from, Duration::from_millis(end)) })
    }
}

struct Flap {
    failing: bool,
    until: Timestamp,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubelet::script::Script;
    use crate::kubelet::span::Span;
    use crate::kubelet::world::AllIsWell;

    fn answers(script: &str, seconds: &[u64]) -> Vec<bool> {
        let script = Script::parse(script).unwrap();
        let start = Timestamp::UNIX_EPOCH;
        let process = Process {
            behaviour: script.behaviour("app", false).unwrap(),
            started: start,
            baseline: start,
            world: &AllIsWell,
        };
        let answer = |s: &u64| process.answer(ProbeKind::Readiness, Span::seconds(*s).after(start)) == Answer::Passes;
        seconds.iter().map(answer).collect()
    }

    #[test]
    fn flaps_begin_with_passing() {
        let script = "app: {readiness: {flaps: {passes: 10s, fails: 5s, from: 20s}}}";
        assert_eq!(answers(script, &[0, 19, 29, 30, 34, 35, 45]), [true, true, true, false, false, true, false]);
    }

    #[test]
    fn windows_end() {
        let script = "app: {listensAfter: 2s, readiness: {fails: [{from: 5s, until: 7s}, {from: 9s}]}}";
        assert_eq!(answers(script, &[1, 2, 5, 6, 7, 9, 1000]), [false, true, false, false, true, false, false]);
    }

    #[test]
    fn repeated_lines_are_bounded() {
        let script = Script::parse("app: {log: [{at: 1s, every: 1s, text: tick}, {text: up}]}").unwrap();
        let start = Timestamp::UNIX_EPOCH;
        let process = Process {
            behaviour: script.behaviour("app", false).unwrap(),
            started: start,
            baseline: start,
            world: &AllIsWell,
        };
        assert_eq!(process.printed(Span::seconds(3).after(start)).len(), 4);
        assert_eq!(process.printed(Span::seconds(86_400).after(start)).len(), 501);
    }
}
