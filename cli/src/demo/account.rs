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
    findings: Vec<Item>,
    /// What a person is needed for.
    stalled: Vec<Item>,
    /// What was done, and what came of it.
    steps: Vec<Done>,
    /// What held back.
    held: Vec<Item>,
}

/// A cause or a reason, in the words in which it was said last.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Item {
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
        long_enough(&spans, |status| status.health.iter().map(|health| item(&format!("{health:?}"), "")).collect());
    let findings = |status: &HealedServiceStatus| {
        status.findings.iter().map(|finding| item(&finding.cause, &finding.message)).collect()
    };
    let stalled = |status: &HealedServiceStatus| {
        let conditions = status.conditions.iter();
        let stalled = conditions.filter(|condition| condition.type_ == "Stalled" && condition.status == "True");
        stalled.map(|condition| item(&condition.reason, &condition.message)).collect()
    };
    let held = |status: &HealedServiceStatus| {
        status.blocked_by.iter().map(|block| item(&block.reason, &block.message)).collect()
    };
    let done = |entry: HistoryEntry| Done {
        step: entry.step,
        target: entry.target.unwrap_or_default(),
        outcome: entry.outcome.to_string(),
    };
    Account {
        service: service.to_owned(),
        health: health.into_iter().map(|health| health.name).collect(),
        findings: long_enough(&spans, findings),
        stalled: long_enough(&spans, stalled),
        steps: chronicle.history_of(service).into_iter().filter(is_step).map(done).collect(),
        held: long_enough(&spans, held),
    }
}

fn item(name: &str, message: &str) -> Item {
    Item { name: name.to_owned(), message: message.to_owned() }
}

/// What stood for long enough, in the order in which it came.
fn long_enough(
    spans: &[(Duration, &HealedServiceStatus)],
    of: impl Fn(&HealedServiceStatus) -> Vec<Item>,
) -> Vec<Item> {
    let mut all: Vec<(Duration, Item)> = Vec::new();
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
    all.into_iter().filter(|(total, _)| *total >= LASTING).map(|(_, item)| item).collect()
}
