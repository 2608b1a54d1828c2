//! Making and giving up the pods of a job.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::pods::{deletion_rank, from_template, is_over};
use super::index::{INDEX, index_of};
use super::outcome::Tally;
use super::{BACK_OFF, Run, TRACKING};
use crate::api::{DeleteOptions, Status};
use crate::kubelet::{Note, after};
use crate::object::{self, items, text};

impl Run<'_> {
    /// Makes as many pods as are wanted, or gives some up; when to come again if a failure has to be waited out.
    pub(super) fn manage(&mut self, active: &[Arc<Value>], tally: &Tally) -> Result<Option<Timestamp>, Status> {
        let number = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
        let spec = &self.job["spec"];
        let parallel = number(&spec["parallelism"]).unwrap_or(1);
        let indexed = spec["completionMode"] == "Indexed";
        let wanted = match number(&spec["completions"]) {
            Some(completions) => {
                let done = if indexed { tally.done() } else { tally.succeeded };
                parallel.min(completions.saturating_sub(done))
            }
            // Without a number of completions the first success ends it, and nothing is started after that.
            None if tally.succeeded > 0 => active.len().min(parallel),
            None => parallel,
        };
        let mut ranked: Vec<&Arc<Value>> = active.iter().collect();
        ranked.sort_by_cached_key(|pod| deletion_rank(pod));
        for pod in ranked.into_iter().take(active.len().saturating_sub(wanted)) {
            self.delete(pod)?;
        }
        // Pods that are on their way out keep their place, or until they have failed if the job says so.
        let strict = self.job["spec"]["podReplacementPolicy"] == "Failed";
        let leaving = self.owned.iter().filter(|pod| strict && object::is_terminating(pod) && !is_over(pod)).count();
        let missing = wanted.saturating_sub(active.len() + leaving);
        if missing == 0 {
            return Ok(None);
        }
        if let Some(due) = self.backed_off().filter(|due| *due > self.context.now) {
            return Ok(Some(due));
        }
        let taken: Vec<i64> = active.iter().filter_map(|pod| index_of(pod)).collect();
        let completions = spec_completions(&self.job);
        let mut free = (0..completions)
            .filter(|index| !taken.contains(index) && !tally.is_done(*index))
            .collect::<Vec<_>>()
            .into_iter();
        for _ in 0..missing {
            let index = if indexed { free.next() } else { None };
            if indexed && index.is_none() {
                break;
            }
            self.create(index)?;
        }
        Ok(None)
    }

    /// Until when the last failure is waited out: the longer the more pods have failed one after the other.
    fn backed_off(&self) -> Option<Timestamp> {
        let ended = |pod: &Arc<Value>| -> Timestamp {
            let statuses = items(pod, "/status/containerStatuses").iter();
            let ends = statuses.filter_map(|status| text(status, "/state/terminated/finishedAt").parse().ok());
            ends.max().unwrap_or(Timestamp::MIN)
        };
        let last_success = self.owned.iter().filter(|pod| text(pod, "/status/phase") == "Succeeded").map(ended).max();
        let failures: Vec<Timestamp> = self
            .owned
            .iter()
            .filter(|pod| text(pod, "/status/phase") == "Failed")
            .map(ended)
            .filter(|end| last_success.is_none_or(|success| *end > success))
            .collect();
        let last = failures.iter().max()?;
        let (first, most) = BACK_OFF;
        let doublings = u32::try_from(failures.len().saturating_sub(1)).unwrap_or(u32::MAX).min(10);
        Some(after(*last, (first * 2u32.pow(doublings)).min(most)))
    }

    fn create(&mut self, index: Option<i64>) -> Result<(), Status> {
        let kinds = self.context.kinds.clone();
        let mut pod = from_template(&kinds.jobs, &self.job);
        let mut finalizers = items(&pod, "/metadata/finalizers").to_vec();
        finalizers.push(TRACKING.into());
        pod["metadata"]["finalizers"] = finalizers.into();
        if let Some(index) = index {
            mark(&mut pod, object::name(&self.job), index);
        }
        match self.context.create(&kinds.pods, object::namespace(&self.job), pod) {
            Ok(pod) => {
                self.tell(&Note::normal("SuccessfulCreate", format!("Created pod: {}", object::name(&pod))));
                Ok(())
            }
            Err(status) => {
                self.tell(&Note::warning("FailedCreate", format!("Error creating: {}", status.message)));
                Err(status)
            }
        }
    }

    pub(super) fn delete(&mut self, pod: &Value) -> Result<(), Status> {
        let pods = self.context.kinds.pods.clone();
        let options = DeleteOptions::default().with_uid(object::uid(pod));
        match self.context.api.delete(&pods, object::namespace(pod), object::name(pod), &options) {
            Err(status) if status.code != 404 => return Err(status),
            _ => {}
        }
        self.tell(&Note::normal("SuccessfulDelete", format!("Deleted pod: {}", object::name(pod))));
        Ok(())
    }
}

fn spec_completions(job: &Value) -> i64 {
    job["spec"]["completions"].as_i64().unwrap_or(0)
}

/// A pod of an indexed job knows its index, and so do its containers.
fn mark(pod: &mut Value, job: &str, index: i64) {
    let metadata = object::entry(pod, "metadata");
    metadata.insert("generateName".into(), format!("{job}-{index}-").into());
    for part in ["annotations", "labels"] {
        object::entry(&mut pod["metadata"], part).insert(INDEX.into(), index.to_string().into());
    }
    pod["spec"]["hostname"] = format!("{job}-{index}").into();
    let source = json!({"fieldRef": {"apiVersion": "v1", "fieldPath": format!("metadata.labels['{INDEX}']")}});
    for list in ["initContainers", "containers"] {
        for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let mut env = items(container, "/env").to_vec();
            env.push(json!({"name": "JOB_COMPLETION_INDEX", "valueFrom": source}));
            container["env"] = env.into();
        }
    }
}
