//! The table at the end: how long everything took.

use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};

use crate::{outcome::Outcome, stage::Marks};

const HEADER: [&str; 8] = ["Journey", "Set up", "Seen", "Acted", "Well", "Total", "Verdict", ""];

/// Seconds: until all was set up, and from then on until the break was seen, acted on, and all was well again.
pub(crate) fn of(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled).set_header(HEADER);
    for Outcome { name, what, note, marks, total, failure } in outcomes {
        let Marks { broken, seen, acted, well } = *marks;
        let since =
            |moment: Option<Duration>| seconds(moment.zip(broken).map(|(at, broken)| at.saturating_sub(broken)));
        let verdict = if failure.is_none() { "ok" } else { "FAILED" };
        table.add_row([
            (*name).to_owned(),
            seconds(broken),
            since(seen),
            since(acted),
            since(well),
            seconds(Some(*total)),
            verdict.to_owned(),
            note.map_or_else(|| (*what).to_owned(), |note| format!("{what} ({note})")),
        ]);
    }
    for column in 1..6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn seconds(span: Option<Duration>) -> String {
    span.map_or_else(|| "–".to_owned(), |span| format!("{:.1}", span.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_the_break() {
        let marks = Marks {
            broken: Some(Duration::from_secs(4)),
            seen: Some(Duration::from_secs(7)),
            acted: None,
            well: Some(Duration::from_millis(9_500)),
        };
        let total = Duration::from_secs(12);
        let text =
            of(&[Outcome { name: "readiness", what: "as ever", note: Some("killed"), marks, total, failure: None }])
                .to_string();
        let row = text.lines().find(|line| line.contains("readiness")).unwrap();
        let cells: Vec<&str> = row.split(['│', '┆']).map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells, ["readiness", "4.0", "3.0", "–", "5.5", "12.0", "ok", "as ever (killed)"]);
    }
}
