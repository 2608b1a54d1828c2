//! Logs: the end of what a container printed before it ended, where a service asks for that (`diagnosis.logTailLines`).
//!
//! Informs and nothing else. It is read in a task of its own, once for each end: no decision waits for it, and one that was taken without
//! is not wrong. What it told goes into the status; here it only passes through.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::AsyncReadExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::{Api, Client, api::LogParams};
use parking_lot::Mutex;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use crate::{base::Key, policy::Effective};
use crate::{
    base::error_text::error_text,
    controller::queue::Queue,
    diagnosis::{Rules, Said, log_of},
};
use kubeheal_core::model::{
    moment::before,
    snapshot::{Container, ContainerState, Pod, Snapshot, Workload},
    state::{LogEvidence, LogRead, MAX_LOGS},
};

/// Logs read at the same time.
const AT_ONCE: usize = 2;
/// Longest wait for one.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest piece asked for, in bytes.
const MOST_BYTES: u32 = 256 * 1024;
/// Answers that nobody has fetched yet; more are forgotten, and asked for again.
const MOST_ANSWERS: usize = 512;
/// The kernel says so: the log cannot know better.
const OOM_KILLED: &str = "OOMKilled";

/// A termination of a container: UID of its pod, its name, the how many-th termination.
pub type Termination = (String, String, u32);

/// Reads logs, in tasks of its own.
#[derive(Clone)]
pub struct LogReader {
    client: Client,
    queue: Arc<Queue>,
    turns: Arc<Semaphore>,
    pending: Arc<Mutex<Pending>>,
}

/// What is asked and what was told, until it stands in a status.
#[derive(Default)]
struct Pending {
    asked: BTreeSet<Termination>,
    told: BTreeMap<Termination, LogEvidence>,
}

/// A log that is to be read.
#[derive(Debug, Clone)]
pub struct Wanted {
    end: Termination,
    namespace: String,
    pod: String,
    /// The container has been started again since.
    previous: bool,
    lines: u32,
}

impl LogReader {
    /// A reader on a client that does not retry. The queue hears whose log has been read.
    pub fn new(client: Client, queue: Arc<Queue>) -> Self {
        Self { client, queue, turns: Arc::new(Semaphore::new(AT_ONCE)), pending: Arc::default() }
    }

    /// What logs told, and no status says yet.
    pub fn answers(&self) -> BTreeMap<Termination, LogEvidence> {
        self.pending.lock().told.clone()
    }

    /// Has logs read that nobody has read yet.
    pub fn ask(&self, wanted: &[Wanted], key: &Key, effective: &Arc<Effective>) {
        for one in wanted {
            if !self.pending.lock().asked.insert(one.end.clone()) {
                continue;
            }
            let (reader, one, key, effective) = (self.clone(), one.clone(), key.clone(), effective.clone());
            tokio::spawn(async move {
                let told = reader.read(&one, &effective.rules).await;
                let mut pending = reader.pending.lock();
                pending.asked.remove(&one.end);
                if pending.told.len() >= MOST_ANSWERS {
                    pending.told.pop_first();
                }
                pending.told.insert(one.end, told);
                drop(pending);
                reader.queue.add(key, Instant::now());
            });
        }
    }

    /// These stand in a status now.
    pub fn written(&self, logs: &[LogRead]) {
        let mut pending = self.pending.lock();
        for read in logs {
            pending.told.remove(&(read.uid.clone(), read.container.clone(), read.termination));
        }
    }

    async fn read(&self, wanted: &Wanted, rules: &Rules) -> LogEvidence {
        let _turn = self.turns.acquire().await;
        let read = timeout(PATIENCE, self.tail(wanted)).await;
        match read {
            Ok(Ok(text)) => {
                let log = log_of(&text);
                let found = rules.diagnose(&Said { log: &log, ..Said::default() });
                found.map_or(LogEvidence::Nothing, |found| LogEvidence::Line { name: found.name, line: found.line })
            }
            Ok(Err(why)) => {
                tracing::warn!(pod = wanted.pod, container = wanted.end.1, why, "a log could not be read");
                LogEvidence::Unreadable(why)
            }
            Err(_) => LogEvidence::Unreadable(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }

    /// The last lines. The API server cuts what is too long at its end, where the reason stands: then fewer lines are asked for.
    async fn tail(&self, wanted: &Wanted) -> Result<String, String> {
        let mut lines = wanted.lines;
        loop {
            let text = self.piece(wanted, lines).await?;
            if lines == 1 || text.len() < MOST_BYTES as usize {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            lines = (lines / 8).max(1);
        }
    }

    async fn piece(&self, wanted: &Wanted, lines: u32) -> Result<Vec<u8>, String> {
        let pods: Api<ApiPod> = Api::namespaced(self.client.clone(), &wanted.namespace);
        let params = LogParams {
            container: Some(wanted.end.1.clone()),
            previous: wanted.previous,
            tail_lines: Some(i64::from(lines)),
            limit_bytes: Some(i64::from(MOST_BYTES)),
            ..LogParams::default()
        };
        let mut text = Vec::new();
        let stream = pods.log_stream(&wanted.pod, &params).await.map_err(|error| why(&error))?;
        let whole = stream.take(u64::from(MOST_BYTES)).read_to_end(&mut text).await;
        whole.map_err(|error| error.to_string())?;
        Ok(text)
    }
}

/// Adds to what was seen what logs told. Returns the logs that are still to be read.
pub fn complete(
    seen: &mut Snapshot,
    effective: &Effective,
    answers: &BTreeMap<Termination, LogEvidence>,
    now: Timestamp,
) -> Vec<Wanted> {
    let lines = u32::try_from(effective.settings.diagnosis.log_tail_lines).unwrap_or(0);
    let logs = &mut seen.state.observed.logs;
    if lines == 0 {
        logs.clear();
        return Vec::new();
    }
    // Pods that cannot be seen are not gone.
    if !matches!(seen.workload, Workload::Present(_)) {
        return Vec::new();
    }
    let unclear = unclear(&seen.pods, before(now, effective.policy.health.restart_window));
    // What the log of an earlier end told holds until that of the next one has been read.
    logs.retain(|read| unclear.iter().any(|one| is_of(read, &one.end.0, &one.end.1)));
    let mut wanted = Vec::new();
    for Unclear { finished: _, pod, end, previous } in unclear {
        if logs.iter().any(|read| is_of(read, &end.0, &end.1) && read.termination == end.2) {
            continue;
        }
        if let Some(evidence) = answers.get(&end) {
            let (uid, container, termination) = end;
            logs.retain(|read| !is_of(read, &uid, &container));
            logs.push(LogRead { uid, container, termination, evidence: evidence.clone() });
            continue;
        }
        wanted.push(Wanted { end, namespace: seen.service.namespace.clone(), pod, previous, lines });
    }
    logs.sort_by(|a, b| (&a.uid, &a.container).cmp(&(&b.uid, &b.container)));
    for read in &**logs {
        let pod = seen.pods.iter_mut().find(|pod| pod.uid == read.uid);
        let container = pod.and_then(|pod| pod.containers.iter_mut().find(|one| one.name == read.container));
        if let Some(container) = container {
            tell(container, &read.evidence, &effective.rules);
        }
    }
    wanted
}

/// An end of which neither the message nor the kernel told why.
struct Unclear {
    finished: Option<Timestamp>,
    pod: String,
    end: Termination,
    previous: bool,
}

/// The pods' unclear ends since then, the latest first.
fn unclear(pods: &[Pod], since: Timestamp) -> Vec<Unclear> {
    let of_pod = |pod: &Pod| pod.containers.iter().filter_map(|one| unclear_end(pod, one, since)).collect::<Vec<_>>();
    let mut found: Vec<Unclear> = pods.iter().flat_map(of_pod).collect();
    found.sort_by(|a, b| b.finished.cmp(&a.finished).then_with(|| a.end.cmp(&b.end)));
    found.truncate(MAX_LOGS);
    found
}

fn unclear_end(pod: &Pod, container: &Container, since: Timestamp) -> Option<Unclear> {
    // What has ended and was not started again is still the current run.
    let previous = match &container.state {
        ContainerState::Terminated(_) => false,
        ContainerState::Waiting { .. } | ContainerState::Running(_) => true,
        ContainerState::Unknown => return None,
    };
    let end = container.last_termination()?;
    let is_clear = container.diagnosis.as_ref().is_some_and(|found| !found.line.is_empty());
    let is_over = container.ready && end.finished.is_some_and(|finished| finished < since);
    (end.exit_code != 0 && !is_over && end.reason != OOM_KILLED && !is_clear).then(|| Unclear {
        finished: end.finished,
        pod: pod.name.clone(),
        end: (pod.uid.clone(), container.name.clone(), container.termination_number()),
        previous,
    })
}

fn is_of(read: &LogRead, uid: &str, container: &str) -> bool {
    read.uid == uid && read.container == container
}

fn tell(container: &mut Container, told: &LogEvidence, rules: &Rules) {
    match told {
        LogEvidence::Nothing => {}
        LogEvidence::Line { name, line } => container.diagnosis = Some(rules.named(name, line)),
        LogEvidence::Unreadable(why) => container.unread = Some(why.clone()),
    }
}

fn why(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            "kubeheal may not: grant get on pods/log (logs.enabled of the chart, deploy/components/logs)".to_owned()
        }
        error => error_text(error),
    }
}
