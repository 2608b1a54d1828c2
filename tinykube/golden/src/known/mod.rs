//! Where a server is known to answer in its own way, and why. One file for each group of cases.

mod circumstances;
mod core;
mod kinds;
mod protocol;
mod workloads;

/// Lines that a server is known to answer in its own way, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Name of the case.
    pub case: &'static str,
    /// Numbers of the lines.
    pub lines: &'static [u64],
    /// Why they differ, for people.
    pub why: &'static str,
    /// Whether the server serves what they are about; what it does not serve counts for nothing.
    pub served: bool,
    /// What beside the API server decides the answer, where that is so: such a line counts for nothing, alike or not.
    pub on: Option<Circumstance>,
    /// Entries of lists that are about what the server does not serve, where the rest is. They are left out of what was
    /// recorded, at whatever depth they stand, and what remains has to be alike.
    pub apart: &'static [&'static str],
    /// The status of the answer, where it is known to be another one.
    pub instead: Option<u64>,
}

/// What beside the API server decides an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Circumstance {
    /// The node that runs the pods: its system, its runtime, its images, and what its programs do.
    Node,
    /// What has happened to the API server since the cluster was made.
    Past,
    /// The build of the API server that was recorded, which is a fork's.
    Build,
}

impl Known {
    /// What the server answers differently.
    const fn differs(case: &'static str, lines: &'static [u64], why: &'static str) -> Known {
        Known { case, lines, why, served: true, on: None, apart: &[], instead: None }
    }

    /// What the server does not serve, and says so.
    const fn unserved(case: &'static str, lines: &'static [u64], why: &'static str) -> Known {
        Known { case, lines, why, served: false, on: None, apart: &[], instead: None }
    }

    /// What is alike but for entries about what the server does not serve.
    const fn but_for(
        apart: &'static [&'static str],
        case: &'static str,
        lines: &'static [u64],
        why: &'static str,
    ) -> Known {
        Known { case, lines, why, served: true, on: None, apart, instead: None }
    }

    /// What something beside the API server decides.
    const fn depends(on: Circumstance, case: &'static str, lines: &'static [u64], why: &'static str) -> Known {
        Known { case, lines, why, served: true, on: Some(on), apart: &[], instead: None }
    }

    /// The same, answered with this status instead of the recorded one.
    const fn with_status(self, instead: u64) -> Known {
        Known { instead: Some(instead), ..self }
    }

    /// Whether an answer may have this status, given the recorded one: another one says that the thing is not there, or is
    /// known.
    pub(crate) fn allows(&self, recorded: u64, answered: u64) -> bool {
        match self.instead {
            // Where two real servers differ, either is right.
            Some(instead) => answered == instead || (self.on.is_some() && answered == recorded),
            None => answered == recorded || (!self.served && matches!(answered, 404 | 501)),
        }
    }

    /// Whether these lines are not expected to be alike, even without the entries that are left out.
    pub(crate) fn is_expected_to_differ(&self) -> bool {
        self.apart.is_empty()
    }

    /// Whether this line is one of these.
    pub fn holds(&self, case: &str, id: u64) -> bool {
        self.case == case && self.lines.contains(&id)
    }
}

/// Where tinykube is not alike. A line listed here that becomes alike fails its tests, unless two real servers differ in it.
/// What is about something that it does not serve stands first: that is the reason, whatever real servers say.
pub fn tinykube() -> Vec<Known> {
    let own = [core::KNOWN, kinds::KNOWN, protocol::KNOWN, workloads::KNOWN];
    [&own.concat(), circumstances::KNOWN].concat()
}

/// Where a real server is not alike, because its circumstances are not those of the recording.
pub fn cluster() -> Vec<Known> {
    circumstances::KNOWN.to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::transcript::CASES;

    #[test]
    fn a_line_is_listed_for_one_reason_and_exists() {
        let mut listed = BTreeSet::new();
        for Known { case, lines, why, on, .. } in tinykube() {
            let recorded = CASES.iter().find(|known| known.name == case).map(transcript_ids).unwrap_or_default();
            for line in lines {
                assert!(recorded.contains(line), "{case} {line}: {why}");
                assert!(listed.insert((case, line, on.is_some())), "{case} {line} is listed twice: {why}");
            }
        }
    }

    fn transcript_ids(case: &crate::transcript::Case) -> BTreeSet<u64> {
        case.lines().iter().filter_map(|line| line["id"].as_u64()).collect()
    }

    #[test]
    fn what_two_real_servers_differ_in_counts_for_nothing_whichever_server_is_played_to() {
        for known in cluster() {
            assert!(known.on.is_some() && tinykube().contains(&known), "{known:?}");
        }
    }
}
