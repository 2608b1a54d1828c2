//! What has come of the pods of a job, and whether that is the end of it. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::pods::is_over;
use super::index::index_of;
use super::{condition, is_tracked};
use crate::kubelet::after;
use crate::object::{self, items, text};

/// How many pods have succeeded and failed, and which of them nobody has counted yet.
pub(super) struct Tally {
    pub(super) succeeded: usize,
    pub(super) failed: usize,
    completed: BTreeSet<i64>,
    lost: BTreeSet<i64>,
    fresh: Vec<Arc<Value>>,
}

impl Tally {
    /// What the status says, and what is new. Pods that end because the job is suspended have not failed.
    pub(super) fn of(job: &Value, owned: &[Arc<Value>], suspended: bool) -> Tally {
        let number = |field: &str| job["status"][field].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let mut tally = Tally {
            succeeded: number("succeeded"),
            failed: number("failed"),
            completed: indexes(text(job, "/status/completedIndexes")),
            lost: indexes(text(job, "/status/failedIndexes")),
            fresh: Vec::new(),
        };
        let indexed = job["spec"]["completionMode"] == "Indexed";
        for pod in owned.iter().filter(|pod| is_over(pod) && is_tracked(pod)) {
            let well = text(pod, "/status/phase") == "Succeeded";
            let index = index_of(pod).filter(|_| indexed);
            if well && index.is_none_or(|index| tally.completed.insert(index)) {
                tally.succeeded += 1;
            } else if !well && !suspended && verdict(job, pod) != Some("Ignore") {
                tally.failed += 1;
                tally.lose(job, owned, pod, index);
            }
            tally.fresh.push(pod.clone());
        }
        tally
    }

    /// An index is lost when it has failed more often than it may.
    fn lose(&mut self, job: &Value, owned: &[Arc<Value>], pod: &Value, index: Option<i64>) {
        let (Some(index), Some(most)) = (index, job["spec"]["backoffLimitPerIndex"].as_u64()) else { return };
        let failures =
            owned.iter().filter(|other| index_of(other) == Some(index) && text(other, "/status/phase") == "Failed");
        let failures = u64::try_from(failures.count()).unwrap_or(u64::MAX);
        if failures > most || verdict(job, pod) == Some("FailIndex") {
            self.lost.insert(index);
        }
    }

    /// Indexes that need no pod any more.
    pub(super) fn is_done(&self, index: i64) -> bool {
        self.completed.contains(&index) || self.lost.contains(&index)
    }

    pub(super) fn done(&self) -> usize {
        self.completed.len() + self.lost.len()
    }

    pub(super) fn is_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    pub(super) fn take_fresh(&mut self) -> Vec<Arc<Value>> {
        std::mem::take(&mut self.fresh)
    }

    /// The UIDs of those that are not counted yet.
    pub(super) fn uncounted(&self) -> Value {
        let mut uncounted = Map::new();
        for (field, phase) in [("succeeded", "Succeeded"), ("failed", "Failed")] {
            let uids = self.fresh.iter().filter(|pod| text(pod, "/status/phase") == phase);
            let uids: Vec<&str> = uids.map(|pod| object::uid(pod)).collect();
            if !uids.is_empty() {
                uncounted.insert(field.into(), json!(uids));
            }
        }
        uncounted.into()
    }

    pub(super) fn show_indexes(&self, job: &Value, status: &mut Map<String, Value>) {
        if job["spec"]["completionMode"] != "Indexed" {
            return;
        }
        if !self.completed.is_empty() {
            status.insert("completedIndexes".into(), ranges(&self.completed).into());
        }
        if job["spec"]["backoffLimitPerIndex"].is_u64() {
            status.insert("failedIndexes".into(), ranges(&self.lost).into());
        }
    }
}

/// The indexes of `0,2-4`.
fn indexes(text: &str) -> BTreeSet<i64> {
    let ranges = text.split(',').filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<i64>().ok()?..=last.parse::<i64>().ok()?)
    });
    ranges.flatten().collect()
}

/// The same the other way round.
fn ranges(indexes: &BTreeSet<i64>) -> String {
    let mut parts: Vec<(i64, i64)> = Vec::new();
    for index in indexes {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => parts.push((*index, *index)),
        }
    }
    let shown = |(first, last): (i64, i64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    };
    parts.into_iter().map(shown).collect::<Vec<_>>().join(",")
}

/// How a job ends: the condition that announces it, the one that says it, and why.
pub(super) struct Termination {
    pub(super) kind: &'static str,
    pub(super) sign: &'static str,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Termination {
    fn failed(reason: &str, message: impl Into<String>) -> Termination {
        Termination { kind: "Failed", sign: "FailureTarget", reason: reason.to_owned(), message: message.into() }
    }

    fn complete() -> Termination {
        let (reason, message) =
            ("CompletionsReached".to_owned(), "Reached expected number of succeeded pods".to_owned());
        Termination { kind: "Complete", sign: "SuccessCriteriaMet", reason, message }
    }
}

/// Reasons why a job fails, as Events name them.
pub(super) fn known_reason(reason: &str) -> &'static str {
    let known = ["BackoffLimitExceeded", "DeadlineExceeded", "FailedIndexes", "PodFailurePolicy"];
    known.into_iter().find(|known| *known == reason).unwrap_or("Failed")
}

/// Whether and how a job ends.
pub(super) fn termination(
    job: &Value,
    owned: &[Arc<Value>],
    tally: &Tally,
    started: Option<Timestamp>,
    now: Timestamp,
) -> Option<Termination> {
    for (kind, sign) in [("Failed", "FailureTarget"), ("Complete", "SuccessCriteriaMet")] {
        if let Some(known) = condition(&job["status"], sign) {
            let (reason, message) = (text(known, "/reason").to_owned(), text(known, "/message").to_owned());
            return Some(Termination { kind, sign, reason, message });
        }
    }
    let spec = &job["spec"];
    if let Some(message) =
        owned.iter().filter(|pod| text(pod, "/status/phase") == "Failed").find_map(|pod| fails_job(job, pod))
    {
        return Some(Termination::failed("PodFailurePolicy", message));
    }
    let limit = usize::try_from(spec["backoffLimit"].as_u64().unwrap_or(6)).unwrap_or(usize::MAX);
    if tally.failed > limit || restarts(spec, owned) > limit {
        return Some(Termination::failed("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
    }
    let deadline = spec["activeDeadlineSeconds"].as_u64().filter(|_| spec["suspend"] != true).zip(started);
    if deadline.is_some_and(|(seconds, start)| after(start, Duration::from_secs(seconds)) <= now) {
        return Some(Termination::failed("DeadlineExceeded", "Job was active longer than specified deadline"));
    }
    let wanted = spec["completions"].as_u64().and_then(|wanted| usize::try_from(wanted).ok());
    if spec["completionMode"] == "Indexed" {
        let over = wanted.is_some_and(|wanted| tally.done() >= wanted);
        return match (over, tally.lost.is_empty()) {
            (true, true) => Some(Termination::complete()),
            (true, false) => Some(Termination::failed("FailedIndexes", "Job has failed indexes")),
            _ => None,
        };
    }
    let running = owned.iter().any(|pod| !is_over(pod));
    let done = wanted.map_or(tally.succeeded > 0 && !running, |wanted| tally.succeeded >= wanted);
    done.then(Termination::complete)
}

/// Containers that are started again in the same pod count as failures too.
fn restarts(spec: &Value, owned: &[Arc<Value>]) -> usize {
    if text(spec, "/template/spec/restartPolicy") != "OnFailure" {
        return 0;
    }
    let statuses = owned.iter().filter(|pod| !is_over(pod)).flat_map(|pod| items(pod, "/status/containerStatuses"));
    let restarts = statuses.filter_map(|status| status["restartCount"].as_u64());
    usize::try_from(restarts.sum::<u64>()).unwrap_or(usize::MAX)
}

/// What the policy of a job says of a pod that failed: the action of the first rule that holds.
fn verdict<'a>(job: &'a Value, pod: &Value) -> Option<&'a str> {
    rule(job, pod).map(|(_, rule, _)| text(rule, "/action"))
}

fn fails_job(job: &Value, pod: &Value) -> Option<String> {
    let (index, rule, exit) = rule(job, pod)?;
    if rule["action"] != "FailJob" {
        return None;
    }
    let whose = format!("{}/{}", object::namespace(pod), object::name(pod));
    Some(match exit {
        Some((container, code)) => {
            format!(
                "Container {container} for pod {whose} failed with exit code {code} matching FailJob rule at index {index}"
            )
        }
        None => format!("Pod {whose} has a condition matching FailJob rule at index {index}"),
    })
}

type Exit = (String, i64);

fn rule<'a>(job: &'a Value, pod: &Value) -> Option<(usize, &'a Value, Option<Exit>)> {
    let rules = items(job, "/spec/podFailurePolicy/rules").iter().enumerate();
    rules.into_iter().find_map(|(index, rule)| {
        let codes = &rule["onExitCodes"];
        if codes.is_object() {
            return exit_in(codes, pod).map(|exit| (index, rule, Some(exit)));
        }
        let conditions = items(pod, "/status/conditions");
        let holds = items(rule, "/onPodConditions").iter().any(|wanted| {
            conditions.iter().any(|known| known["type"] == wanted["type"] && known["status"] == wanted["status"])
        });
        holds.then_some((index, rule, None))
    })
}

fn exit_in(codes: &Value, pod: &Value) -> Option<Exit> {
    let only = text(codes, "/containerName");
    let statuses = ["/status/containerStatuses", "/status/initContainerStatuses"];
    let mut exits = statuses.iter().flat_map(|list| items(pod, list)).filter_map(|status| {
        let code = status["state"]["terminated"]["exitCode"].as_i64().filter(|code| *code != 0)?;
        Some((text(status, "/name").to_owned(), code))
    });
    exits.find(|(name, code)| {
        let listed = items(codes, "/values").iter().any(|value| value.as_i64() == Some(*code));
        (only.is_empty() || only == name) && listed == (codes["operator"] == "In")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_as_ranges() {
        for text in ["", "0", "0,1", "0-2", "0,2-4,7"] {
            assert_eq!(ranges(&indexes(text)), text);
        }
    }
}
