//! What a container said, put into a sentence.

use crate::model::snapshot::{Container, Diagnosis};

/// Longest line quoted, in characters.
const MAX_LINE: usize = 300;

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

/// The named root cause, where a rule matched.
pub(super) fn diagnosis_of(container: &Container) -> Option<String> {
    container.diagnosis.as_ref().map(|diagnosis| diagnosis.name.clone())
}
