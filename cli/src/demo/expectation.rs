//! What a story expects, and whether it held.
//!
//! Judges what was recorded and nothing else: the statuses of the services and the readiness of the watched workload.

use std::collections::{BTreeMap, BTreeSet};

use kubeheal::api::status::{CircuitState, HealedServiceStatus, HealthState};
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;
use tinykube::kubelet::Span;

use super::{chronicle::Chronicle, timeline::spoken};

/// What must come of a story.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Expectations {
    healed: Option<bool>,
    outage: Option<Outage>,
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

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Range {
    least: Option<u32>,
    most: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfService {
    /// namespace/name
    service: String,
    #[serde(default)]
    when: When,
    health: Option<HealthState>,
    circuit: Option<CircuitState>,
    #[serde(default)]
    conditions: BTreeMap<String, String>,
    finding: Option<FindingLike>,
    blocked_by: Option<String>,
    steps: Option<Vec<String>>,
    actions: Option<Range>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FindingLike {
    cause: Option<String>,
    diagnosis: Option<String>,
}

/// Which of the statuses are meant.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(try_from = "String")]
enum When {
    /// The last.
    #[default]
    End,
    /// Any since something broke.
    Sometime,
    /// All since something broke.
    Always,
    /// The one that stood then.
    At(Span),
}

impl TryFrom<String> for When {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "end" => Ok(Self::End),
            "sometime" => Ok(Self::Sometime),
            "always" => Ok(Self::Always),
            span => match span.parse() {
                Ok(span) => Ok(Self::At(span)),
                Err(_) => Err(format!("\"{text}\" is no time: write end, sometime, always or a time such as 30m")),
            },
        }
    }
}

impl std::fmt::Display for When {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::End => formatter.write_str("at the end"),
            Self::Sometime => formatter.write_str("at some time"),
            Self::Always => formatter.write_str("all the time"),
            Self::At(span) => write!(formatter, "at {span}"),
        }
    }
}

/// An expectation and what was seen instead or indeed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Judged {
    /// What was expected.
    pub(crate) what: String,
    /// Whether it held.
    pub(crate) held: bool,
    /// What was seen.
    pub(crate) seen: String,
}

/// All that judging needs.
pub(crate) struct Evidence<'a> {
    /// What became of the services.
    pub(crate) chronicle: &'a Chronicle,
    /// All wanted pods are ready at the end.
    pub(crate) healed: bool,
    /// Seconds of outage with kubeheal.
    pub(crate) outage: u64,
    /// Seconds of outage with the monitor.
    pub(crate) monitor_outage: u64,
    /// Since when expectations count.
    pub(crate) from: Span,
}

const STEPS: [&str; 3] = ["RestartPod", "RecreateWorkload", "Rollback"];

impl Expectations {
    /// Whether everything named exists; if not, on which line and what.
    pub(crate) fn check(&self, services: &BTreeSet<String>) -> Result<(), (u64, String)> {
        for step in &self.never {
            if !STEPS.contains(&step.value.as_str()) {
                let problem = format!("\"{}\" is no step: write one of {}", step.value, STEPS.join(", "));
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
            judged.extend(outage.judge(evidence));
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
        let seen = spoken(evidence.outage);
        let judged = |what: String, held: bool| Judged { what, held, seen: seen.clone() };
        let mut all = Vec::new();
        if let Some(least) = self.least {
            all.push(judged(format!("outage of at least {least}"), evidence.outage >= least.duration().as_secs()));
        }
        if let Some(most) = self.most {
            all.push(judged(format!("outage of at most {most}"), evidence.outage <= most.duration().as_secs()));
        }
        if self.less_than_monitor {
            let what = format!("a shorter outage than the monitor's {}", spoken(evidence.monitor_outage));
            all.push(judged(what, evidence.outage < evidence.monitor_outage));
        }
        all
    }
}

impl Range {
    fn judge(&self, of: &str, count: u32) -> Judged {
        let what = match (self.least, self.most) {
            (Some(least), Some(most)) if least == most => format!("{least} {of}"),
            (Some(least), Some(most)) => format!("{least} to {most} {of}"),
            (Some(least), None) => format!("at least {least} {of}"),
            (None, Some(most)) => format!("at most {most} {of}"),
            (None, None) => format!("any number of {of}"),
        };
        let held = self.least.is_none_or(|least| count >= least) && self.most.is_none_or(|most| count <= most);
        Judged { what, held, seen: count.to_string() }
    }
}

impl OfService {
    fn judge(&self, evidence: &Evidence<'_>) -> Vec<Judged> {
        let Self { service, when, health, circuit, conditions, finding, blocked_by, steps, actions } = self;
        let statuses = evidence.chronicle.of(service, evidence.from);
        let judge = |what: String,
                     holds: &dyn Fn(&HealedServiceStatus) -> bool,
                     say: &dyn Fn(&HealedServiceStatus) -> String| {
            let (held, shown) = match when {
                When::End => {
                    let last = statuses.last().map(|(_, status)| *status);
                    (last.is_some_and(holds), last)
                }
                When::At(span) => {
                    let then = statuses.iter().rev().find(|(at, _)| *at <= span.duration()).map(|(_, status)| *status);
                    (then.is_some_and(holds), then)
                }
                When::Sometime => {
                    let hit = statuses.iter().map(|(_, status)| *status).find(|status| holds(status));
                    (hit.is_some(), hit.or(statuses.last().map(|(_, status)| *status)))
                }
                When::Always => {
                    let miss = statuses.iter().map(|(_, status)| *status).find(|status| !holds(status));
                    (miss.is_none() && !statuses.is_empty(), miss.or(statuses.last().map(|(_, status)| *status)))
                }
            };
            let seen = shown.map_or_else(|| "no status at all".to_owned(), say);
            Judged { what: format!("{service} {when}: {what}"), held, seen }
        };
        let mut judged = Vec::new();
        if let Some(expected) = health {
            judged.push(judge(format!("{expected:?}"), &|status| status.health == Some(*expected), &said_health));
        }
        if let Some(expected) = circuit {
            let holds = |status: &HealedServiceStatus| state_of(status) == *expected;
            judged.push(judge(format!("circuit {expected:?}"), &holds, &|status| format!("{:?}", state_of(status))));
        }
        for (kind, expected) in conditions {
            let holds = |status: &HealedServiceStatus| is_condition(status, kind, expected);
            judged.push(judge(format!("{kind}={expected}"), &holds, &|status| said_condition(status, kind)));
        }
        if let Some(expected) = finding {
            let holds = |status: &HealedServiceStatus| expected.is_in(status);
            judged.push(judge(format!("finds {expected}"), &holds, &said_findings));
        }
        if let Some(reason) = blocked_by {
            let holds = |status: &HealedServiceStatus| status.blocked_by.iter().any(|block| block.reason == *reason);
            judged.push(judge(format!("blocked by {reason}"), &holds, &said_blocks));
        }
        let own = evidence.chronicle.actions_of(service);
        if let Some(steps) = steps {
            let taken: Vec<&str> = own.iter().map(|action| action.step.as_str()).collect();
            judged.push(in_order(&format!("{service}: steps"), steps, &taken));
        }
        if let Some(range) = actions {
            judged.push(range.judge(&format!("actions on {service}"), u32::try_from(own.len()).unwrap_or(u32::MAX)));
        }
        judged
    }
}

impl FindingLike {
    fn is_in(&self, status: &HealedServiceStatus) -> bool {
        status.findings.iter().any(|finding| {
            self.cause.as_ref().is_none_or(|cause| finding.cause == *cause)
                && self.diagnosis.as_ref().is_none_or(|name| finding.diagnosis.as_ref() == Some(name))
        })
    }
}

impl std::fmt::Display for FindingLike {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [self.cause.as_deref(), self.diagnosis.as_deref()];
        formatter.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", diagnosis "))
    }
}

fn state_of(status: &HealedServiceStatus) -> CircuitState {
    status.circuit.as_ref().map(|circuit| circuit.state).unwrap_or_default()
}

/// `expected` is a status such as `True`, or with its reason `True/AllReady`.
fn is_condition(status: &HealedServiceStatus, kind: &str, expected: &str) -> bool {
    let (wanted, reason) = expected.split_once('/').map_or((expected, None), |(status, reason)| (status, Some(reason)));
    status.conditions.iter().any(|condition| {
        condition.type_ == kind && condition.status == wanted && reason.is_none_or(|reason| condition.reason == reason)
    })
}

fn said_condition(status: &HealedServiceStatus, kind: &str) -> String {
    let found = status.conditions.iter().find(|condition| condition.type_ == kind);
    found.map_or_else(|| "absent".to_owned(), |found| format!("{}/{}: {}", found.status, found.reason, found.message))
}

fn said_health(status: &HealedServiceStatus) -> String {
    status.health.map_or_else(|| "nothing".to_owned(), |health| format!("{health:?}"))
}

fn said_findings(status: &HealedServiceStatus) -> String {
    let said = status.findings.iter().map(|finding| match &finding.diagnosis {
        Some(diagnosis) => format!("{} ({diagnosis})", finding.cause),
        None => finding.cause.clone(),
    });
    let said: Vec<_> = said.collect();
    if said.is_empty() { "nothing".to_owned() } else { said.join(", ") }
}

fn said_blocks(status: &HealedServiceStatus) -> String {
    let said: Vec<_> = status.blocked_by.iter().map(|block| block.reason.as_str()).collect();
    if said.is_empty() { "nothing".to_owned() } else { said.join(", ") }
}

fn in_order(what: &str, expected: &[String], taken: &[&str]) -> Judged {
    let list = |steps: &[&str]| if steps.is_empty() { "none".to_owned() } else { steps.join(", ") };
    let wanted: Vec<&str> = expected.iter().map(String::as_str).collect();
    Judged { what: format!("{what}: {}", list(&wanted)), held: wanted == taken, seen: list(taken) }
}

fn times(count: usize) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        more => format!("{more} times"),
    }
}
