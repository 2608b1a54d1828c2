//! A look at a container: what every rule needs, and how a finding about it is put.

use jiff::{SignedDuration, Timestamp};

use super::{
    cause::{Cause, Finding},
    memory::Memory,
    policy::HealthPolicy,
    snapshot::{Container, ContainerState, Diagnosis, Pod, Termination},
    time::{Wakeups, after, elapsed},
};

/// Longest line quoted, in characters.
const MAX_LINE: usize = 300;

/// What every rule about a pod looks at besides the pod.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// What earlier looks left.
    pub memory: &'a Memory,
    /// The thresholds.
    pub policy: &'a HealthPolicy,
    /// Ready without a restart for this long is well.
    pub calm: SignedDuration,
    /// Now.
    pub now: Timestamp,
}

impl Look<'_> {
    /// Whether something lasts long enough; if not yet, asks to be woken when it does.
    pub fn lasts(&self, since: Timestamp, threshold: SignedDuration, wakeups: &mut Wakeups) -> bool {
        wakeups.at(after(since, threshold), self.now);
        elapsed(since, self.now) >= threshold
    }

    /// Since when this trouble in this place is known; now, if it is new. Our own clock, whatever the object says.
    pub fn known_since(&self, uid: &str, container: &str, cause: Cause) -> Timestamp {
        let known = self.memory.findings.iter();
        let mut same = known.filter(|known| known.uid == uid && known.container == container && known.cause == cause);
        same.next().map_or(self.now, |known| known.since.min(self.now))
    }

    /// A time from which on trouble counts: not before the dependencies got well.
    pub fn charged_from(&self, since: Timestamp) -> Timestamp {
        since.max(self.memory.released_at.unwrap_or(since))
    }
}

/// A finding about one container.
pub fn about(
    pod: &Pod,
    container: &Container,
    cause: Cause,
    since: Timestamp,
    lasting: bool,
    message: String,
) -> Finding {
    Finding {
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        container: container.name.clone(),
        probe: None,
        cause,
        diagnosis: container.diagnosis.as_ref().map(|diagnosis| diagnosis.name.clone()),
        since,
        lasting,
        acute: true,
        message,
    }
}

/// How the container ended, most recently.
pub fn last_end(container: &Container) -> Option<&Termination> {
    match &container.state {
        ContainerState::Terminated(end) => Some(end),
        ContainerState::Waiting { .. } | ContainerState::Running(_) | ContainerState::Unknown => {
            container.last.as_ref()
        }
    }
}

/// What the container said, for the end of a sentence: the line that names the root cause, with its name and what to do
/// about it; else the last line.
pub fn explained(container: &Container, message: &str) -> String {
    let last = message.trim().lines().last().unwrap_or_default();
    let diagnosis = container.diagnosis.as_ref();
    let line = diagnosis.map(|found| found.line.as_str()).filter(|line| !line.is_empty()).unwrap_or(last);
    let said = if line.is_empty() { String::new() } else { format!(": {}", bounded(line)) };
    let named = match diagnosis {
        Some(Diagnosis { name, advice, line: _ }) if advice.is_empty() => format!(" [{name}]"),
        Some(Diagnosis { name, advice, line: _ }) => format!(" [{name}: {advice}]"),
        None => String::new(),
    };
    let unread = container.unread.as_ref().map(|why| format!(" [its log was not read: {why}]")).unwrap_or_default();
    format!("{said}{named}{unread}")
}

/// A line for a sentence; its end says most.
fn bounded(line: &str) -> String {
    let surplus = line.chars().count().saturating_sub(MAX_LINE);
    if surplus == 0 { line.to_owned() } else { ['…'].into_iter().chain(line.chars().skip(surplus + 1)).collect() }
}
