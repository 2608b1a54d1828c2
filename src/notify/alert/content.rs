//! What an alert says, whoever is told.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::{api::HealedService, base::target_of};
use kubeheal_core::model::text::cut;
use kubeheal_core::model::{
    alert::{Notice, Severity, Subject},
    decision::Decision,
    plan::Plan,
    policy::Mode,
};

/// Longest text of an alert, in characters.
const MAX_TEXT: usize = 1024;

/// One alert, ready to be put into the form that a receiver wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertMessage {
    /// What it is about.
    pub subject: Subject,
    /// The same for the whole alert, from its first notice to its last, and for the next one on the same subject: receivers
    /// that count incidents put notices together by it.
    pub key: String,
    /// It fires, or is over.
    pub state: AlertState,
    /// How loud.
    pub severity: Severity,
    /// How loud the receiver knows it to be; empty if it is not known to have heard of it.
    pub knows: Option<Severity>,
    /// Why it fires.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Namespace of the service that tells.
    pub namespace: String,
    /// Name of the service that tells.
    pub service: String,
    /// Kind and name of its workload, `Deployment/api`.
    pub workload: String,
    /// One line.
    pub title: String,
    /// What is wrong, in a sentence or two; the line that a container printed, if one tells.
    pub text: String,
    /// What kubeheal does about it, or why it does nothing.
    pub doing: String,
}

/// Whether an alert fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// It does.
    Firing,
    /// It is over since then.
    Resolved(Timestamp),
}

impl AlertState {
    /// In lower case, as most receivers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved(_) => "resolved",
        }
    }
}

impl AlertMessage {
    /// The alert that a decision makes of a notice.
    pub fn of(service: &HealedService, decision: &Decision, mode: Mode, notice: &Notice) -> Self {
        let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
        let (kind, (_, target)) = target_of(service);
        let uid = service.uid().unwrap_or_default();
        let state = notice.resolved.map_or(AlertState::Firing, AlertState::Resolved);
        Self {
            subject: notice.subject,
            key: match notice.subject {
                Subject::Service => format!("kubeheal/{uid}"),
                Subject::Storm => format!("kubeheal/storm/{uid}"),
            },
            state,
            severity: notice.severity,
            knows: notice.knows,
            reason: notice.reason.clone(),
            since: notice.since,
            title: title(notice, &format!("{namespace}/{name}"), decision),
            text: cut(&text(notice, decision), MAX_TEXT),
            doing: if state == AlertState::Firing {
                cut(&doing(notice, decision, mode), MAX_TEXT)
            } else {
                String::new()
            },
            workload: format!("{}/{target}", kind.as_str()),
            service: name,
            namespace,
        }
    }

    /// The same alert, over.
    #[must_use]
    pub fn over(&self, now: Timestamp, why: &str) -> Self {
        Self {
            state: AlertState::Resolved(now),
            title: format!("{}/{}: not watched any more", self.namespace, self.service),
            text: why.to_owned(),
            doing: String::new(),
            ..self.clone()
        }
    }

    /// Different for each notice that says something new, the same when that notice is sent again: receivers can drop what
    /// they have seen.
    pub fn id(&self) -> String {
        let since = self.since.as_second();
        format!("{}/{since}/{}/{}", self.key, self.state.as_str(), self.severity.as_str())
    }

    /// When it was over, if it is.
    pub fn resolved_at(&self) -> Option<Timestamp> {
        match self.state {
            AlertState::Firing => None,
            AlertState::Resolved(at) => Some(at),
        }
    }

    /// What is wrong and what is done about it.
    pub fn whole_text(&self) -> String {
        if self.doing.is_empty() { self.text.clone() } else { format!("{}\n{}", self.text, self.doing) }
    }
}

fn title(notice: &Notice, service: &str, decision: &Decision) -> String {
    match (notice.subject, notice.resolved) {
        (Subject::Service, None) => format!("{service} is {}: {}", decision.verdict.health.as_str(), notice.reason),
        (Subject::Service, Some(_)) => format!("{service} is {} again", decision.verdict.health.as_str()),
        (Subject::Storm, None) => "many services are unhealthy at once: all healing holds".to_owned(),
        (Subject::Storm, Some(_)) => "the storm is over: healing goes on".to_owned(),
    }
}

fn text(notice: &Notice, decision: &Decision) -> String {
    let verdict = &decision.verdict.message;
    let told = decision.escalation.as_ref().filter(|told| told.reason.as_str() == notice.reason);
    match (notice.subject, notice.resolved) {
        (Subject::Storm, None) => told.map(|told| told.message.clone()).unwrap_or_default(),
        (Subject::Storm, Some(_)) => "services that are still unhealthy are told of one by one".to_owned(),
        (Subject::Service, Some(_)) => verdict.clone(),
        (Subject::Service, None) => match told {
            Some(told) if told.message.contains(verdict) => told.message.clone(),
            Some(told) => format!("{}: {verdict}", told.message),
            None => verdict.clone(),
        },
    }
}

/// What is done about it: whoever is woken wants to know whether there is anything left to do.
fn doing(notice: &Notice, decision: &Decision, mode: Mode) -> String {
    if notice.subject == Subject::Storm {
        return "no action anywhere until the storm is over".to_owned();
    }
    let step = |plan: &Plan| format!("{} of {}", plan.action.step.as_str(), plan.action.target);
    if mode == Mode::Observe {
        let would = decision.proposal().map(|plan| format!("; it would be {}", step(plan)));
        return format!("mode is Observe: nothing is done{}", would.unwrap_or_default());
    }
    if let Some(repair) = &decision.state.attempts.in_flight {
        let (step, target, by) = (repair.action.step.as_str(), &repair.action.target, repair.verify_by);
        return format!("{step} of {target} is being verified until {by:.0}");
    }
    match (decision.blocked_by().first(), decision.proposal()) {
        (Some(block), _) => format!("nothing is done: {}", block.message),
        (None, Some(plan)) => format!("next: {}", step(plan)),
        (None, None) => "nothing is done: there is no step that could help".to_owned(),
    }
}
