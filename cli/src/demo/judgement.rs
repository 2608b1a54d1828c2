//! Judging an expectation: what is judged by, how a count and an order are judged, and what is said of it.

use serde::{Deserialize, Serialize};
use tinykube::kubelet::Span;

use super::chronicle::Chronicle;

/// How many of something there may be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Range {
    least: Option<u32>,
    most: Option<u32>,
}

/// An expectation and what was seen instead or indeed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Judged {
    /// What was expected.
    pub(crate) what: String,
    /// Whether it held.
    pub(crate) held: bool,
    /// What was seen.
    pub(crate) seen: String,
}

/// All that judging needs.
pub(crate) struct Evidence<'a> {
    /// What became of the services.
    pub(crate) chronicle: &'a Chronicle,
    /// All wanted pods are ready at the end.
    pub(crate) healed: bool,
    /// Seconds of outage with kubeheal.
    pub(crate) outage: u64,
    /// Seconds of outage with the monitor, where there is one.
    pub(crate) monitor_outage: Option<u64>,
    /// Since when expectations count.
    pub(crate) from: Span,
}

impl Range {
    pub(super) fn judge(&self, of: &str, count: u32) -> Judged {
        let what = match (self.least, self.most) {
            (Some(least), Some(most)) if least == most => format!("{least} {of}"),
            (Some(least), Some(most)) => format!("{least} to {most} {of}"),
            (Some(least), None) => format!("at least {least} {of}"),
            (None, Some(most)) => format!("at most {most} {of}"),
            (None, None) => format!("any number of {of}"),
        };
        let held = self.least.is_none_or(|least| count >= least) && self.most.is_none_or(|most| count <= most);
        Judged { what, held, seen: count.to_string() }
    }
}

/// Whether these were taken, in this order.
pub(super) fn in_order(what: &str, expected: &[String], taken: &[&str]) -> Judged {
    let list = |steps: &[&str]| if steps.is_empty() { "none".to_owned() } else { steps.join(", ") };
    let wanted: Vec<&str> = expected.iter().map(String::as_str).collect();
    Judged { what: format!("{what}: {}", list(&wanted)), held: wanted == taken, seen: list(taken) }
}
