//! How the stories are told: to people as timelines and a table, to programs as one JSON object.

use std::io::{self, IsTerminal, Write};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use serde::Serialize;

use super::{
    Outcome,
    expectation::Judged,
    timeline::{Entry, Mark, spoken},
};

/// Colours, where somebody can see them and has not forbidden them (<https://no-color.org>).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// For standard output.
    pub(crate) fn for_stdout() -> Self {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { on: io::stdout().is_terminal() && !forbidden && !dumb }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// All stories for people.
pub(crate) fn text(out: &mut impl Write, outcomes: &[Outcome], paint: Paint) -> io::Result<()> {
    for outcome in outcomes {
        story(out, outcome, paint)?;
    }
    writeln!(out, "{}", table(outcomes, paint))?;
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    if failed > 0 {
        writeln!(out, "{}", paint.paint("1;31", &format!("{failed} of {} did not end as expected", outcomes.len())))?;
    }
    Ok(())
}

fn story(out: &mut impl Write, outcome: &Outcome, paint: Paint) -> io::Result<()> {
    writeln!(out, "{} — {}", paint.paint("1", &outcome.name), outcome.title)?;
    for line in outcome.post_mortem.lines() {
        writeln!(out, "  {}", paint.paint("2", line.trim()))?;
    }
    writeln!(out)?;
    for entry in &outcome.timeline {
        writeln!(out, "  {:>8}  {}", clock(entry.at), told(entry, paint))?;
    }
    writeln!(out)?;
    for Judged { what, held, seen } in &outcome.expectations {
        if *held {
            writeln!(out, "  {} {what}", paint.paint("32", "✓"))?;
        } else {
            writeln!(out, "  {} {what}; seen: {seen}", paint.paint("1;31", "✗"))?;
        }
    }
    writeln!(out)
}

fn told(entry: &Entry, paint: Paint) -> String {
    let (word, colour) = match entry.mark {
        Mark::Broke => ("broke", "1;31"),
        Mark::Saw => ("saw", "33"),
        Mark::Did => ("did", "1;36"),
        Mark::Held => ("held", "35"),
        Mark::Breaker => ("breaker", "1;35"),
        Mark::Warned => ("warned", "33"),
        Mark::Well => ("well", "32"),
        Mark::Ready => ("", "2"),
    };
    let who = match entry.who.as_slice() {
        [] => String::new(),
        few @ ([_] | [_, _]) => format!("{}: ", few.join(", ")),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more: ", rest.len()),
    };
    // A service that speaks for others quotes its own words only.
    format!("{} {who}{}", paint.paint(colour, &format!("{word:<8}")), entry.text.replace('\n', " "))
}

/// Time since the beginning: `1:05:30`.
fn clock(seconds: u64) -> String {
    format!("{}:{:02}:{:02}", seconds / 3600, seconds % 3600 / 60, seconds % 60)
}

fn table(outcomes: &[Outcome], paint: Paint) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    if !paint.on {
        table.force_no_tty();
    }
    table.set_header(["Story", "Outage with monitor", "with kubeheal", "Restarts", "Actions", "Verdict"]);
    for outcome in outcomes {
        let verdict = if outcome.passed() {
            Cell::new("as expected").fg(Color::Green)
        } else {
            Cell::new("NOT as expected").fg(Color::Red).add_attribute(Attribute::Bold)
        };
        table.add_row([
            Cell::new(&outcome.name),
            Cell::new(outage(outcome.monitor_outage, outcome.monitor_healed)),
            Cell::new(outage(outcome.outage, outcome.healed)),
            Cell::new(outcome.monitor_actions),
            Cell::new(outcome.actions),
            verdict,
        ]);
    }
    table
}

fn outage(seconds: u64, healed: bool) -> String {
    if healed { spoken(seconds) } else { format!("{} and going on", spoken(seconds)) }
}

#[derive(Serialize)]
struct Report<'a> {
    stories: &'a [Outcome],
    passed: usize,
    failed: usize,
}

/// All stories for programs.
pub(crate) fn json(out: &mut impl Write, outcomes: &[Outcome]) -> io::Result<()> {
    let passed = outcomes.iter().filter(|outcome| outcome.passed()).count();
    let report = Report { stories: outcomes, passed, failed: outcomes.len() - passed };
    serde_json::to_writer(&mut *out, &report)?;
    writeln!(out)
}
