//! Where a server is known to answer in its own way, and why. One file for each group of cases.

mod access;
mod core;
mod definitions;
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
}

impl Known {
    /// What the server answers differently.
    const fn differs(case: &'static str, lines: &'static [u64], why: &'static str) -> Known {
        Known { case, lines, why, served: true }
    }

    /// What the server does not serve, and says so.
    const fn unserved(case: &'static str, lines: &'static [u64], why: &'static str) -> Known {
        Known { case, lines, why, served: false }
    }

    /// Whether this line is one of these.
    pub fn holds(&self, case: &str, id: u64) -> bool {
        self.case == case && self.lines.contains(&id)
    }
}

/// Where tinykube is not alike. A line listed here that becomes alike fails its tests.
pub fn tinykube() -> Vec<Known> {
    [core::KNOWN, access::KNOWN, definitions::KNOWN, kinds::KNOWN, protocol::KNOWN, workloads::KNOWN].concat()
}
