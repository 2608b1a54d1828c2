//! What a service said and did over a whole story, each thing once: the short of its statuses, for a table.

use std::{collections::BTreeSet, time::Duration};

use kubeheal::api::status::HealedServiceStatus;
use kubeheal_core::model::state::HistoryEntry;
use serde::Serialize;

use super::{
    chronicle::{Chronicle, is_step},
    story::Story,
};

/// What stood for less, all times together, is passed over.
const LASTING: Duration = Duration::from_secs(60);

/// What one service said and did, from the first break on, in the order of time.
#[derive(Debug, Serialize)]
pub(crate) struct Account {
    /// namespace/name
    service: String,
    /// Its health, in every word.
    health: Vec<String>,
    /// What was wrong.
    findings: Vec<Said>,
    /// What a person is needed for.
    stalled: Vec<Said>,
    /// What was done, and what came of it.
    steps: Vec<Done>,
    /// What held back.
    held: Vec<Said>,
}

/// A cause or a reason, in the words in which it was said last.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Said {
    name: String,
    message: String,
}

#[derive(Debug, Serialize)]
struct Done {
    step: String,
    target: String,
    outcome: String,
}

/// Of every service.
pub(crate) fn accounts(story: &Story, chronicle: &Chronicle) -> Vec<Account> {
    chronicle.services().map(|(service, _)| account(story, chronicle, service)).collect()
}

fn account(story: &Story, chronicle: &Chronicle, service: &str) -> Account {
    let statuses = chronicle.of(service, story.first_break());
    let ends = statuses.iter().skip(1).map(|(at, _)| *at).chain([story.until.duration()]);
    let from = story.first_break().duration();
    let spans: Vec<(Duration, &HealedServiceStatus)> =
        statuses.iter().zip(ends).map(|((at, status), end)| (end.saturating_sub((*at).max(from)), *status)).collect();
    let health =
        lasting(&spans, |status| status.health.iter().map(|health| said(&format!("{health:?}"), "")).collect());
    let findings = |status: &HealedServiceStatus| {
        status.findings.iter().map(|finding| said(&finding.cause, &finding.message)).collect()
    };
    let stalled = |status: &HealedServiceStatus| {
        let conditions = status.conditions.iter();
        let stalled = conditions.filter(|condition| condition.type_ == "Stalled" && condition.status == "True");
        stalled.map(|condition| said(&condition.reason, &condition.message)).collect()
    };
    let held = |status: &HealedServiceStatus| {
        status.blocked_by.iter().map(|block| said(&block.reason, &block.message)).collect()
    };
    let done = |entry: HistoryEntry| Done {
        step: entry.step,
        target: entry.target.unwrap_or_default(),
        outcome: entry.outcome.to_string(),
    };
    Account {
        service: service.to_owned(),
        health: health.into_iter().map(|health| health.name).collect(),
        findings: lasting(&spans, findings),
        stalled: lasting(&spans, stalled),
        steps: chronicle.history_of(service).into_iter().filter(is_step).map(done).collect(),
        held: lasting(&spans, held),
    }
}

fn said(name: &str, message: &str) -> Said {
    Said { name: name.to_owned(), message: message.to_owned() }
}

/// What stood for long enough, in the order in which it came.
fn lasting(spans: &[(Duration, &HealedServiceStatus)], of: impl Fn(&HealedServiceStatus) -> Vec<Said>) -> Vec<Said> {
    let mut all: Vec<(Duration, Said)> = Vec::new();
    for (span, status) in spans {
        let mut counted = BTreeSet::new();
        for one in of(status) {
            let first = counted.insert(one.name.clone());
            match all.iter_mut().find(|(_, known)| known.name == one.name) {
                // Of several that are the same the first is the worst.
                Some((total, known)) if first => {
                    *total += *span;
                    *known = one;
                }
                Some(_) => {}
                None => all.push((*span, one)),
            }
        }
    }
    all.into_iter().filter(|(total, _)| *total >= LASTING).map(|(_, said)| said).collect()
}
