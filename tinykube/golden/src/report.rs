//! What came of playing all lines: for people, and whether it is as known.

use std::collections::BTreeMap;
use std::fmt;

use crate::known::{Circumstance, Known};
use crate::play::Played;

/// Differences shown of one line; the rest follows from the first few.
const SHOWN: usize = 8;

/// The sum of a play.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Lines of which two recordings agree, about what is served: how many, and how many of them are alike.
    compared: usize,
    alike: usize,
    /// Lines of which two recordings agree in the status only.
    status_only: usize,
    unserved: usize,
    /// Lines that something beside the API server decides: how many, and how many of them are alike all the same.
    depending: BTreeMap<Circumstance, (usize, usize)>,
    listed: Vec<Known>,
    aged: Vec<String>,
    surprises: Vec<String>,
}

impl Report {
    /// Judges what was played by what is known to differ.
    pub fn new(played: &[Played], known: &[Known]) -> Report {
        let mut report = Report {
            compared: 0,
            alike: 0,
            status_only: 0,
            unserved: 0,
            depending: BTreeMap::new(),
            listed: known.to_vec(),
            aged: Vec::new(),
            surprises: Vec::new(),
        };
        for line in played {
            report.judge(line, known.iter().find(|known| known.holds(line.case, line.id)));
        }
        report
    }

    fn judge(&mut self, line: &Played, known: Option<&Known>) {
        let Played { case, id, asked, status, differences, in_full, aged } = line;
        let shown: Vec<_> = differences.iter().take(SHOWN).map(String::as_str).collect();
        let shown = format!("{case} {id}: {asked}\n    {}", shown.join("\n    "));
        let is_alike = differences.is_empty();
        if *aged && !is_alike {
            self.aged.push(shown);
            return;
        }
        if let (Some(known), Some((recorded, answered))) = (known, status)
            && !known.allows(*recorded, *answered)
        {
            self.surprises.push(format!(
                "{case} {id} is answered with {answered} instead of {recorded}, which is not known: {shown}"
            ));
        }
        if let Some(on) = known.and_then(|known| known.on) {
            let (lines, alike) = self.depending.entry(on).or_default();
            *lines += 1;
            *alike += usize::from(is_alike);
            return;
        }
        match known {
            Some(known) if !known.served => self.unserved += 1,
            _ if !in_full => self.status_only += 1,
            _ => {
                self.compared += 1;
                self.alike += usize::from(is_alike);
            }
        }
        match (is_alike, known.filter(|known| known.is_expected_to_differ())) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(_)) => self.surprises.push(format!("{case} {id} is alike now: take it off the list")),
            (false, None) => self.surprises.push(shown),
        }
    }

    /// What nobody expected: a difference that is not listed, or a listed one that is none.
    pub fn surprises(&self) -> &[String] {
        &self.surprises
    }

    /// Differences of lines whose answers depend on how long the cluster has been there.
    pub fn aged(&self) -> &[String] {
        &self.aged
    }

    /// How many of a hundred lines are alike, of those that two recordings agree on and that are about what is served.
    pub fn share(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "some thousand lines")]
        let share = self.alike as f64 * 100.0 / self.compared.max(1) as f64;
        share
    }
}

impl fmt::Display for Circumstance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Circumstance::Node => "the node that runs the pods",
            Circumstance::Past => "the past of the server",
            Circumstance::Build => "the build that was recorded",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{:.1} % alike: {} of {} lines that two recordings agree on and that are about what is served; besides, {} of \
             which only the status is compared, {} about what is not served, {} in which two real servers differ",
            self.share(),
            self.alike,
            self.compared,
            self.status_only,
            self.unserved,
            self.depending.values().map(|(lines, _)| lines).sum::<usize>(),
        )?;
        for (on, (lines, alike)) in &self.depending {
            writeln!(
                formatter,
                "{lines} depend on {on}: two real servers differ in them, so they count for nothing; {alike} of them are alike"
            )?;
        }
        for Known { case, lines, why, served, on, apart, instead: _ } in &self.listed {
            let not_served = match (served, apart.is_empty()) {
                (false, _) => "not served: ",
                (true, false) => "compared without entries about what is not served: ",
                (true, true) => "",
            };
            let depends = on.map(|on| format!("depends on {on}: ")).unwrap_or_default();
            writeln!(formatter, "  {case} {lines:?}: {not_served}{depends}{why}")?;
        }
        if !self.aged.is_empty() {
            writeln!(formatter, "{} depend on the age of the cluster:\n{}", self.aged.len(), self.aged.join("\n"))?;
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
        Played {
            case: "crud",
            id,
            asked: "GET /".to_owned(),
            status: Some((200, 200)),
            differences,
            in_full: true,
            aged: false,
        }
    }

    const KNOWN: Known =
        Known { case: "crud", lines: &[2, 3], why: "for a reason", served: true, on: None, apart: &[], instead: None };

    #[test]
    fn only_what_nobody_expected_is_a_surprise() {
        let report = Report::new(&[played(1, &[]), played(2, &["differs"])], &[KNOWN]);
        assert!(report.surprises().is_empty(), "{report}");
        let report = Report::new(&[played(1, &["differs"]), played(3, &[])], &[KNOWN]);
        assert_eq!(report.surprises().len(), 2, "{report}");
    }

    #[test]
    fn the_share_is_of_what_is_served_and_certain() {
        let lines = [played(1, &[]), played(2, &["differs"]), played(4, &[]), played(5, &[])];
        let share = |lines: &[Played], known: &[Known]| Report::new(lines, known).share();
        assert!((share(&lines, &[KNOWN]) - 75.0).abs() < 0.01);
        assert!((share(&lines, &[Known { served: false, ..KNOWN }]) - 100.0).abs() < 0.01);
        let status_only = lines.map(|line| Played { in_full: line.id != 4, ..line });
        assert!((share(&status_only, &[KNOWN]) - 66.7).abs() < 0.1);
    }

    #[test]
    fn what_the_server_does_not_decide_counts_for_nothing() {
        let known = [Known { on: Some(Circumstance::Node), ..KNOWN }];
        let report = Report::new(&[played(1, &[]), played(2, &["differs"]), played(3, &[])], &known);
        assert!(report.surprises().is_empty(), "{report}");
        assert_eq!((report.alike, report.compared), (1, 1));
        assert!(
            report.to_string().contains("2 depend on the node that runs the pods: two real servers differ in them")
        );
    }

    #[test]
    fn what_is_known_to_differ_has_the_status_that_was_recorded_or_says_that_it_is_not_served() {
        let answered = |status, known| {
            let line = Played { status: Some((200, status)), ..played(2, &["differs"]) };
            Report::new(&[line], &[known]).surprises().len()
        };
        let unserved = Known { served: false, ..KNOWN };
        let depends = Known { on: Some(Circumstance::Node), ..KNOWN };
        let refused = Known { instead: Some(404), ..KNOWN };
        for (known, expected) in [
            (KNOWN, [0, 1, 1, 1]),
            (depends, [0, 1, 1, 1]),
            (Known { instead: Some(404), ..depends }, [0, 0, 1, 1]),
            (unserved, [0, 0, 0, 1]),
            (refused, [1, 0, 1, 1]),
        ] {
            assert_eq!([200, 404, 501, 500].map(|status| answered(status, known)), expected, "{known:?}");
        }
    }

    #[test]
    fn what_is_served_in_part_has_to_be_alike_in_that_part() {
        let known = [Known { apart: &["bindings"], ..KNOWN }];
        let report = Report::new(&[played(1, &[]), played(2, &[])], &known);
        assert!(report.surprises().is_empty(), "{report}");
        assert_eq!((report.alike, report.compared), (2, 2));
        let report = Report::new(&[played(2, &["differs"])], &known);
        assert_eq!((report.surprises().len(), report.alike, report.compared), (1, 0, 1), "{report}");
    }

    #[test]
    fn a_young_cluster_is_not_needed() {
        let report = Report::new(&[Played { aged: true, ..played(1, &["differs"]) }], &[]);
        assert_eq!((report.surprises().len(), report.aged().len()), (0, 1), "{report}");
    }
}
