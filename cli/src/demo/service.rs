//! What a story expects of one service: of its status at some time, and of its history.

use std::collections::BTreeMap;

use kubeheal::api::status::{HealedServiceStatus, HealthState};
use kubeheal_core::model::state::{CircuitState, HistoryEntry};
use serde::Deserialize;
use tinykube::kubelet::Span;

use super::judgement::{Evidence, Judged, Range, in_order};

/// What is expected of one service.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OfService {
    /// namespace/name
    pub(super) service: String,
    #[serde(default)]
    when: When,
    health: Option<HealthState>,
    circuit: Option<CircuitState>,
    #[serde(default)]
    conditions: BTreeMap<String, String>,
    finding: Option<FindingLike>,
    blocked_by: Option<String>,
    /// The step that would be taken.
    next_action: Option<String>,
    /// In the words of a condition, a finding or a reason to hold.
    says: Option<String>,
    ready_pods: Option<u32>,
    /// All of this service's history.
    history: Option<Vec<String>>,
    steps: Option<Vec<String>>,
    actions: Option<Range>,
    /// Different statuses from the first break on.
    changes: Option<Range>,
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

impl OfService {
    /// Judges all of it.
    pub(super) fn judge(&self, evidence: &Evidence<'_>) -> Vec<Judged> {
        let Self {
            service,
            when,
            health,
            circuit,
            conditions,
            finding,
            blocked_by,
            next_action,
            says,
            ready_pods,
            history,
            steps,
            actions,
            changes,
        } = self;
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
        if let Some(step) = next_action {
            let next = |status: &HealedServiceStatus| status.next_action.as_ref().map(|next| next.step.clone());
            let holds = |status: &HealedServiceStatus| next(status).as_ref() == Some(step);
            judged.push(judge(format!("next {step}"), &holds, &|status| next(status).unwrap_or("nothing".to_owned())));
        }
        if let Some(text) = says {
            let holds = |status: &HealedServiceStatus| messages(status).any(|message| message.contains(text.as_str()));
            judged.push(judge(format!("says \"{text}\""), &holds, &|status| {
                messages(status).collect::<Vec<_>>().join(" | ")
            }));
        }
        if let Some(expected) = ready_pods {
            let ready = |status: &HealedServiceStatus| status.pods.as_ref().map_or(0, |pods| pods.ready);
            let holds = |status: &HealedServiceStatus| i64::from(ready(status)) == i64::from(*expected);
            judged.push(judge(format!("{expected} pods ready"), &holds, &|status| ready(status).to_string()));
        }
        if let Some(expected) = history {
            judged.push(in_history(service, expected, &evidence.chronicle.history_of(service)));
        }
        let own = evidence.chronicle.actions_of(service);
        if let Some(steps) = steps {
            let taken: Vec<&str> = own.iter().map(|action| action.step.as_str()).collect();
            judged.push(in_order(&format!("{service}: steps"), steps, &taken));
        }
        if let Some(range) = actions {
            judged.push(range.judge(&format!("actions on {service}"), u32::try_from(own.len()).unwrap_or(u32::MAX)));
        }
        if let Some(range) = changes {
            // The first is the one that stood when something broke.
            let count = u32::try_from(statuses.len().saturating_sub(1)).unwrap_or(u32::MAX);
            judged.push(range.judge(&format!("changes of the status of {service}"), count));
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

/// Each expected entry is a step, or with its outcome `RestartPod/Verified`.
fn in_history(service: &str, expected: &[String], history: &[HistoryEntry]) -> Judged {
    let with_outcome: Vec<String> = history.iter().map(|entry| format!("{}/{}", entry.step, entry.outcome)).collect();
    let is_like = |(wanted, seen): (&String, &String)| {
        wanted == seen || seen.split_once('/').is_some_and(|(step, _)| wanted == step)
    };
    let held = expected.len() == with_outcome.len() && expected.iter().zip(&with_outcome).all(is_like);
    let list = |entries: &[String]| if entries.is_empty() { "nothing".to_owned() } else { entries.join(", ") };
    Judged { what: format!("{service}: history: {}", list(expected)), held, seen: list(&with_outcome) }
}

/// All sentences of a status.
fn messages(status: &HealedServiceStatus) -> impl Iterator<Item = &str> {
    let conditions = status.conditions.iter().map(|condition| condition.message.as_str());
    let findings = status.findings.iter().map(|finding| finding.message.as_str());
    conditions.chain(findings).chain(status.blocked_by.iter().map(|block| block.message.as_str()))
}
