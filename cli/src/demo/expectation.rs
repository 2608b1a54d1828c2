//! What a story expects, and whether it held.
//!
//! Judges what was recorded and nothing else: the statuses of the services and the readiness of the watched workload.

use std::collections::BTreeSet;

use kubeheal_core::model::plan::Step;
use serde::Deserialize;
use serde_saphyr::Spanned;
use tinykube::kubelet::Span;

use super::{
    duration::humanize,
    judgement::{Evidence, Judged, Range, in_order},
    service::OfService,
};

/// What must come of a story.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Expectations {
    healed: Option<bool>,
    outage: Option<Spanned<Outage>>,
    actions: Option<Range>,
    steps: Option<Vec<String>>,
    never: Vec<Spanned<String>>,
    services: Vec<Spanned<OfService>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Outage {
    least: Option<Span>,
    most: Option<Span>,
    less_than_monitor: bool,
}

impl Expectations {
    /// Whether everything named exists; if not, on which line and what.
    pub(crate) fn check(&self, services: &BTreeSet<String>, monitored: bool) -> Result<(), (u64, String)> {
        if let Some(outage) = self.outage.as_ref().filter(|outage| outage.value.less_than_monitor && !monitored) {
            let problem = "lessThanMonitor needs a monitor: write monitor: {every: 5m}".to_owned();
            return Err((outage.referenced.line(), problem));
        }
        for step in &self.never {
            if step.value.parse::<Step>().is_err() {
                let all = Step::ALL.iter().map(|step| step.as_str()).collect::<Vec<_>>().join(", ");
                let problem = format!("\"{}\" is no step: write one of {all}", step.value);
                return Err((step.referenced.line(), problem));
            }
        }
        for one in &self.services {
            if !services.contains(&one.value.service) {
                let all: Vec<_> = services.iter().map(String::as_str).collect();
                let problem = format!("there is no service \"{}\": write one of {}", one.value.service, all.join(", "));
                return Err((one.referenced.line(), problem));
            }
        }
        Ok(())
    }

    /// Judges all of them.
    pub(crate) fn judge(&self, evidence: &Evidence<'_>) -> Vec<Judged> {
        let mut judged = Vec::new();
        let Evidence { chronicle, healed, .. } = evidence;
        if let Some(expected) = self.healed {
            let what = if expected { "healed at the end" } else { "not healed at the end" };
            let seen = if *healed { "all wanted pods are ready" } else { "pods are missing or not ready" };
            judged.push(Judged { what: what.to_owned(), held: *healed == expected, seen: seen.to_owned() });
        }
        if let Some(outage) = &self.outage {
            judged.extend(outage.value.judge(evidence));
        }
        let actions = chronicle.actions();
        if let Some(range) = &self.actions {
            let count = u32::try_from(actions.len()).unwrap_or(u32::MAX);
            judged.push(range.judge("actions", count));
        }
        let taken: Vec<&str> = actions.iter().map(|action| action.step.as_str()).collect();
        if let Some(steps) = &self.steps {
            judged.push(in_order("steps", steps, &taken));
        }
        for never in &self.never {
            let count = taken.iter().filter(|step| **step == never.value).count();
            judged.push(Judged { what: format!("never {}", never.value), held: count == 0, seen: times(count) });
        }
        judged.extend(self.services.iter().flat_map(|one| one.value.judge(evidence)));
        judged
    }
}

impl Outage {
    fn judge(&self, evidence: &Evidence<'_>) -> Vec<Judged> {
        let seen = humanize(evidence.outage);
        let judged = |what: String, held: bool| Judged { what, held, seen: seen.clone() };
        let mut all = Vec::new();
        if let Some(least) = self.least {
            all.push(judged(format!("outage of at least {least}"), evidence.outage >= least.duration().as_secs()));
        }
        if let Some(most) = self.most {
            all.push(judged(format!("outage of at most {most}"), evidence.outage <= most.duration().as_secs()));
        }
        if let Some(monitors) = evidence.monitor_outage.filter(|_| self.less_than_monitor) {
            let what = format!("a shorter outage than the monitor's {}", humanize(monitors));
            all.push(judged(what, evidence.outage < monitors));
        }
        all
    }
}

fn times(count: usize) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        more => format!("{more} times"),
    }
}
