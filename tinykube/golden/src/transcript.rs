//! What was recorded, as data. It judges nothing.

use serde_json::Value;

use crate::restored;

/// A recorded session: lines in the order in which they happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    text: &'static str,
    /// Whether it is of the first set, which says less: see the README beside the transcripts.
    pub(crate) first: bool,
    /// Lines whose bodies differ between two recordings of the real server, or depend on how quick the client is: only the
    /// status code is compared.
    status_only: &'static [u64],
    /// Lines in which a list has the order of a Go map, which is a new one each time.
    unordered: &'static [u64],
    /// Lines whose answer depends on how long the cluster has been there.
    aged: &'static [u64],
}

macro_rules! case {
    ($name:literal) => {
        Case::new($name, include_str!(concat!("../transcripts/", $name, ".jsonl")))
    };
}

/// The sessions: those of the first set in the order in which they were recorded, because later ones use what earlier ones
/// made. Those of the second set clean up after themselves.
pub const CASES: [Case; 23] = [
    case!("crud").first().status_only(&[22]),
    case!("lists").first().status_only(&[28]),
    case!("watches").first().aged(&[9]),
    case!("custom").first().status_only(&[40, 41]),
    case!("apply").first().status_only(&[21, 23]),
    case!("workloads").first().status_only(&[8, 9, 10, 11, 13, 14, 15, 16, 17, 21, 23, 24]),
    case!("eviction").first().status_only(&[15, 18]),
    case!("leases-events").first(),
    case!("access").first(),
    case!("discovery").first(),
    case!("bootstrap"),
    case!("crd-life"),
    case!("crd-rules").unordered(&[67, 98, 103]).status_only(&[69]),
    case!("crds"),
    case!("defaults"),
    case!("jobs").status_only(&[4, 7, 19, 22, 67, 69, 72]),
    case!("negotiation").status_only(&[91]),
    case!("orphans"),
    case!("paths"),
    case!("tables"),
    case!("tokens").unordered(&[94, 95, 96]),
    case!("validation").unordered(&[12, 22]).status_only(&[24, 74]),
    case!("validation-kinds"),
];

impl Case {
    const fn new(name: &'static str, text: &'static str) -> Case {
        Case { name, text, first: false, status_only: &[], unordered: &[], aged: &[] }
    }

    const fn first(mut self) -> Case {
        self.first = true;
        self
    }

    const fn status_only(mut self, lines: &'static [u64]) -> Case {
        self.status_only = lines;
        self
    }

    const fn unordered(mut self, lines: &'static [u64]) -> Case {
        self.unordered = lines;
        self
    }

    const fn aged(mut self, lines: &'static [u64]) -> Case {
        self.aged = lines;
        self
    }

    /// What happened, each line with its `id`.
    pub fn lines(&self) -> Vec<Value> {
        let read = |text: &str| serde_json::from_str(text).unwrap_or_default();
        let mut lines: Vec<Value> = self.text.lines().map(read).collect();
        for line in &mut lines {
            restored::restore(self.name, line);
        }
        lines
    }

    /// Whether only the status code of this line is worth comparing.
    pub fn is_status_only(&self, id: u64) -> bool {
        self.status_only.contains(&id)
    }

    /// Whether lists in the answer to this line have no order.
    pub fn is_unordered(&self, id: u64) -> bool {
        self.unordered.contains(&id)
    }

    /// Whether the answer to this line depends on how long the cluster has been there.
    pub fn is_aged(&self, id: u64) -> bool {
        self.aged.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_can_be_read_and_says_what_was_asked() {
        for case in CASES {
            for line in case.lines() {
                assert!(line["id"].is_u64(), "{}: {line}", case.name);
                let asked = line["method"].is_string() || line["watching"].is_string() || line["watch"].is_string();
                assert!(asked, "{}: {line}", case.name);
            }
        }
    }
}
