//! What came of playing all lines: for people, and whether it is as known.

use std::fmt;

use crate::play::Played;
use crate::transcript::Known;

/// Differences shown of one line; the rest follows from the first few.
const SHOWN: usize = 8;

/// The sum of a play.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    lines: usize,
    alike: usize,
    listed: Vec<Known>,
    surprises: Vec<String>,
}

impl Report {
    /// Judges what was played by what is known to differ.
    pub fn new(played: &[Played], known: &[Known]) -> Report {
        let mut surprises = Vec::new();
        let mut alike = 0;
        for Played { case, id, asked, differences } in played {
            let is_known = known.iter().any(|known| known.case == *case && known.lines.contains(id));
            match (differences.is_empty(), is_known) {
                (true, false) => alike += 1,
                (false, true) => {}
                (true, true) => surprises.push(format!("{case} {id} is alike now: take it off the list")),
                (false, false) => {
                    let shown: Vec<_> = differences.iter().take(SHOWN).map(String::as_str).collect();
                    surprises.push(format!("{case} {id}: {asked}\n    {}", shown.join("\n    ")));
                }
            }
        }
        Report { lines: played.len(), alike, listed: known.to_vec(), surprises }
    }

    /// What nobody expected: a difference that is not listed, or a listed one that is none.
    pub fn surprises(&self) -> &[String] {
        &self.surprises
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed: usize = self.listed.iter().map(|known| known.lines.len()).sum();
        writeln!(formatter, "{} of {} lines alike, {listed} listed differences", self.alike, self.lines)?;
        for Known { case, lines, why } in &self.listed {
            writeln!(formatter, "  {case} {lines:?}: {why}")?;
        }
        if !self.surprises.is_empty() {
            write!(formatter, "{} surprises:\n{}", self.surprises.len(), self.surprises.join("\n"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(id: u64, differences: &[&str]) -> Played {
        let differences = differences.iter().map(|&text| text.to_owned()).collect();
        Played { case: "crud", id, asked: "GET /".to_owned(), differences }
    }

    #[test]
    fn only_what_nobody_expected_is_a_surprise() {
        let known = [Known { case: "crud", lines: &[2, 3], why: "for a reason" }];
        let report = Report::new(&[played(1, &[]), played(2, &["differs"])], &known);
        assert!(report.surprises().is_empty(), "{report}");
        let report = Report::new(&[played(1, &["differs"]), played(3, &[])], &known);
        assert_eq!(report.surprises().len(), 2, "{report}");
    }
}
