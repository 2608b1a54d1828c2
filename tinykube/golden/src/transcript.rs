//! What was recorded, as data. It judges nothing.

use serde_json::Value;

use crate::restored;

/// A recorded session: lines in the order in which they happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    text: &'static str,
    /// Lines whose bodies differ between two recordings of the real server, or depend on how quick the client is: only the
    /// status code is compared.
    status_only: &'static [u64],
}

/// Lines that a server is known to answer in its own way, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Name of the case.
    pub case: &'static str,
    /// Numbers of the lines.
    pub lines: &'static [u64],
    /// Why they differ, for people.
    pub why: &'static str,
}

macro_rules! case {
    ($name:literal, $status_only:expr) => {
        Case {
            name: $name,
            text: include_str!(concat!("../transcripts/", $name, ".jsonl")),
            status_only: &$status_only,
        }
    };
}

/// The sessions in the order in which they were recorded: later ones use what earlier ones made.
pub const CASES: [Case; 10] = [
    case!("crud", [22]),
    case!("lists", [28]),
    case!("watches", []),
    case!("custom", [40, 41]),
    case!("apply", [21, 23]),
    case!("workloads", [8, 9, 10, 11, 13, 14, 15, 16, 17, 21, 23, 24]),
    case!("eviction", [15, 18]),
    case!("leases-events", []),
    case!("access", []),
    case!("discovery", []),
];

/// Where tinykube is not alike. A line listed here that becomes alike fails its tests.
pub const TINYKUBE: &[Known] = &[
    Known {
        case: "custom",
        lines: &[6],
        why: "OpenAPI documents hold what kubectl reads, without lists, scales and descriptions of parameters",
    },
    Known { case: "workloads", lines: &[22], why: "the message does not end with a diff of Go structs" },
    Known { case: "discovery", lines: &[1], why: "the version says tinykube" },
    Known { case: "discovery", lines: &[6, 16, 17, 18], why: "fewer groups and kinds are served" },
    Known {
        case: "discovery",
        lines: &[19, 20],
        why: "OpenAPI documents hold what kubectl reads, of the groups that are served",
    },
];

impl Case {
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
