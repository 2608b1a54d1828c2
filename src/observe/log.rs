//! Logs: the end of what a container printed before it ended, where a service asks for that (`diagnosis.logTailLines`).
//!
//! Informs and nothing else. It is read aside, once for each end: no decision waits for it, and one that was taken without
//! is not wrong. What it told goes into the status; here it only passes through.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::AsyncReadExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::{Api, Client, api::LogParams};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{policy::Effective, record::Key};
use crate::{
    diagnosis::{Rules, Said, log_of},
    error::said,
    healing::{
        ending,
        log::{Answer, LogRead, MAX_LOGS},
        look::last_end,
        snapshot::{Container, ContainerState, Pod, Snapshot, Workload},
        time::before,
    },
    queue::Queue,
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

/// The end of a container: UID of its pod, its name, the how many-th end.
type End = (String, String, u32);

/// Reads logs, aside.
#[derive(Clone)]
pub struct LogReader {
    client: Client,
    queue: Arc<Queue>,
    turns: Arc<Semaphore>,
    passing: Arc<Mutex<Passing>>,
}

/// What is asked and what was told, until it stands in a status.
#[derive(Default)]
struct Passing {
    asked: BTreeSet<End>,
    told: BTreeMap<End, Answer>,
}

/// What is to be read.
struct Wanted {
    end: End,
    namespace: String,
    pod: String,
    /// The container has been started again since.
    previous: bool,
    lines: u32,
}

impl LogReader {
    /// A reader on a client that does not retry. The queue hears whose log has been read.
    pub fn new(client: Client, queue: Arc<Queue>) -> Self {
        Self { client, queue, turns: Arc::new(Semaphore::new(AT_ONCE)), passing: Arc::default() }
    }

    /// Adds to what was seen what logs told, and has those read that nobody has read yet.
    pub fn complete(&self, key: &Key, effective: &Arc<Effective>, seen: &mut Snapshot, now: Timestamp) {
        let lines = u32::try_from(effective.settings.diagnosis.log_tail_lines).unwrap_or(0);
        if lines == 0 {
            seen.memory.logs.clear();
            return;
        }
        // Pods that cannot be seen are not gone.
        if !matches!(seen.workload, Workload::Present(_)) {
            return;
        }
        let unclear = unclear(&seen.pods, before(now, effective.policy.health.restart_window));
        // What the log of an earlier end told holds until that of the next one has been read.
        let stands = |read: &LogRead| unclear.iter().any(|one| is_of(read, &one.end.0, &one.end.1));
        seen.memory.logs.retain(stands);
        for Unclear { finished: _, pod, end, previous } in unclear {
            if seen.memory.logs.iter().any(|read| is_of(read, &end.0, &end.1) && read.end == end.2) {
                self.passing().told.remove(&end);
                continue;
            }
            if let Some(told) = self.told(&end) {
                let (uid, container, end) = end;
                seen.memory.logs.retain(|read| !is_of(read, &uid, &container));
                seen.memory.logs.push(LogRead { uid, container, end, told });
                continue;
            }
            self.ask(Wanted { end, namespace: key.0.clone(), pod, previous, lines }, key, effective);
        }
        seen.memory.logs.sort_by(|a, b| (&a.uid, &a.container).cmp(&(&b.uid, &b.container)));
        for read in &seen.memory.logs {
            let pod = seen.pods.iter_mut().find(|pod| pod.uid == read.uid);
            let container = pod.and_then(|pod| pod.containers.iter_mut().find(|one| one.name == read.container));
            if let Some(container) = container {
                tell(container, &read.told, &effective.rules);
            }
        }
    }

    fn told(&self, end: &End) -> Option<Answer> {
        self.passing().told.get(end).cloned()
    }

    fn ask(&self, wanted: Wanted, key: &Key, effective: &Arc<Effective>) {
        if !self.passing().asked.insert(wanted.end.clone()) {
            return;
        }
        let (reader, key, effective) = (self.clone(), key.clone(), effective.clone());
        tokio::spawn(async move {
            let told = reader.read(&wanted, &effective.rules).await;
            let mut passing = reader.passing();
            passing.asked.remove(&wanted.end);
            if passing.told.len() >= MOST_ANSWERS {
                passing.told.pop_first();
            }
            passing.told.insert(wanted.end, told);
            drop(passing);
            reader.queue.add(key, Instant::now());
        });
    }

    async fn read(&self, wanted: &Wanted, rules: &Rules) -> Answer {
        let _turn = self.turns.acquire().await;
        let read = timeout(PATIENCE, self.tail(wanted)).await;
        match read {
            Ok(Ok(text)) => {
                let log = log_of(&text);
                let found = rules.diagnose(&Said { log: &log, ..Said::default() });
                found.map_or(Answer::Nothing, |found| Answer::Line { name: found.name, line: found.line })
            }
            Ok(Err(why)) => {
                tracing::warn!(pod = wanted.pod, container = wanted.end.1, why, "a log could not be read");
                Answer::Unreadable(why)
            }
            Err(_) => Answer::Unreadable(format!("no answer within {} s", PATIENCE.as_secs())),
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

    /// A lock that another task's panic cannot take away: the state is consistent after each statement.
    fn passing(&self) -> MutexGuard<'_, Passing> {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An end of which neither the message nor the kernel told why.
struct Unclear {
    finished: Option<Timestamp>,
    pod: String,
    end: End,
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
    let end = last_end(container)?;
    let is_clear = container.diagnosis.as_ref().is_some_and(|found| !found.line.is_empty());
    let is_over = container.ready && end.finished.is_some_and(|finished| finished < since);
    (end.exit_code != 0 && !is_over && end.reason != OOM_KILLED && !is_clear).then(|| Unclear {
        finished: end.finished,
        pod: pod.name.clone(),
        end: (pod.uid.clone(), container.name.clone(), ending::number(container)),
        previous,
    })
}

fn is_of(read: &LogRead, uid: &str, container: &str) -> bool {
    read.uid == uid && read.container == container
}

fn tell(container: &mut Container, told: &Answer, rules: &Rules) {
    match told {
        Answer::Nothing => {}
        Answer::Line { name, line } => container.diagnosis = Some(rules.named(name, line)),
        Answer::Unreadable(why) => container.unread = Some(why.clone()),
    }
}

fn why(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            "kubeheal may not: grant get on pods/log (logs.enabled of the chart, deploy/components/logs)".to_owned()
        }
        error => said(error),
    }
}
