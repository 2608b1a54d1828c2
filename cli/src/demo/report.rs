//! How the stories are told: to people as timelines and a table, to programs as one JSON object.

use std::io::{self, IsTerminal, Write};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use serde::Serialize;

use super::{
    duration::humanize,
    judgement::Judged,
    library::Group,
    outcome::Outcome,
    story::Story,
    timeline::{Entry, Mark},
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

/// How a story is told to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With its timeline and all that was expected.
    InFull,
    /// In a line, unless it did not end as expected.
    InALine,
}

/// One story for people.
pub(crate) fn story(out: &mut impl Write, outcome: &Outcome, manner: Manner, paint: Paint) -> io::Result<()> {
    if manner == Manner::InFull {
        return in_full(out, outcome, paint);
    }
    writeln!(out, "{} {} — {}", tick(outcome.passed(), paint), paint.paint("1", &outcome.name), outcome.title)?;
    if !outcome.passed() {
        timeline(out, outcome, paint)?;
        expectations(out, outcome, paint)?;
    }
    Ok(())
}

/// What there is to say when all stories have been told.
pub(crate) fn end(out: &mut impl Write, outcomes: &[(Manner, Outcome)], paint: Paint) -> io::Result<()> {
    let full = outcomes.iter().filter(|(manner, _)| *manner == Manner::InFull).map(|(_, outcome)| outcome);
    let full: Vec<_> = full.collect();
    if !full.is_empty() {
        writeln!(out, "{}", table(&full, paint))?;
    }
    let failed = outcomes.iter().filter(|(_, outcome)| !outcome.passed()).count();
    if failed > 0 {
        writeln!(out, "{}", paint.paint("1;31", &format!("{failed} of {} did not end as expected", outcomes.len())))?;
    } else if full.len() < outcomes.len() {
        writeln!(out, "{}", paint.paint("32", &format!("{} stories ended as expected", outcomes.len())))?;
    }
    out.flush()
}

fn in_full(out: &mut impl Write, outcome: &Outcome, paint: Paint) -> io::Result<()> {
    writeln!(out, "{} — {}", paint.paint("1", &outcome.name), outcome.title)?;
    for line in outcome.post_mortem.lines() {
        writeln!(out, "  {}", paint.paint("2", line.trim()))?;
    }
    timeline(out, outcome, paint)?;
    expectations(out, outcome, paint)
}

fn timeline(out: &mut impl Write, outcome: &Outcome, paint: Paint) -> io::Result<()> {
    writeln!(out)?;
    for entry in &outcome.timeline {
        writeln!(out, "  {:>8}  {}", clock(entry.at), line_of(entry, paint))?;
    }
    writeln!(out)
}

fn expectations(out: &mut impl Write, outcome: &Outcome, paint: Paint) -> io::Result<()> {
    for Judged { what, held, seen } in &outcome.expectations {
        let seen = if *held { String::new() } else { format!("; seen: {seen}") };
        writeln!(out, "  {} {what}{seen}", tick(*held, paint))?;
    }
    writeln!(out)
}

fn tick(held: bool, paint: Paint) -> String {
    if held { paint.paint("32", "✓") } else { paint.paint("1;31", "✗") }
}

/// Which stories there are, for people.
pub(crate) fn list(out: &mut impl Write, groups: &[(&Group, Vec<Story>)], paint: Paint) -> io::Result<()> {
    let width = groups.iter().flat_map(|(_, stories)| stories).map(|story| story.name().len()).max().unwrap_or(0);
    for (group, stories) in groups {
        writeln!(out, "{}: {}", paint.paint("1", group.name), group.about)?;
        for story in stories {
            writeln!(out, "  {:width$}  {}", story.name(), story.title)?;
        }
    }
    Ok(())
}

/// Which stories there are, for programs.
pub(crate) fn list_json(out: &mut impl Write, groups: &[(&Group, Vec<Story>)]) -> io::Result<()> {
    let named = |story: &Story| serde_json::json!({"name": story.name(), "title": story.title});
    let group = |(group, stories): &(&Group, Vec<Story>)| {
        let stories: Vec<_> = stories.iter().map(named).collect();
        serde_json::json!({"name": group.name, "about": group.about, "stories": stories})
    };
    let groups: Vec<_> = groups.iter().map(group).collect();
    serde_json::to_writer(&mut *out, &serde_json::json!({"groups": groups}))?;
    writeln!(out)
}

fn line_of(entry: &Entry, paint: Paint) -> String {
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

fn table(outcomes: &[&Outcome], paint: Paint) -> Table {
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
        let (with_monitor, restarts) = match outcome.monitor {
            Some(with) => (outage(with.outage, with.healed), with.restarts.to_string()),
            None => ("not told".to_owned(), String::new()),
        };
        table.add_row([
            Cell::new(&outcome.name),
            Cell::new(with_monitor),
            Cell::new(outage(outcome.outage, outcome.healed)),
            Cell::new(restarts),
            Cell::new(outcome.actions),
            verdict,
        ]);
    }
    table
}

fn outage(seconds: u64, healed: bool) -> String {
    if healed { humanize(seconds) } else { format!("{} and going on", humanize(seconds)) }
}

#[derive(Serialize)]
struct Report<'a> {
    stories: Vec<&'a Outcome>,
    passed: usize,
    failed: usize,
}

/// All stories for programs.
pub(crate) fn json(out: &mut impl Write, outcomes: &[(Manner, Outcome)]) -> io::Result<()> {
    let stories: Vec<_> = outcomes.iter().map(|(_, outcome)| outcome).collect();
    let passed = stories.iter().filter(|outcome| outcome.passed()).count();
    let report = Report { failed: stories.len() - passed, stories, passed };
    serde_json::to_writer(&mut *out, &report)?;
    writeln!(out)?;
    out.flush()
}
