//! `healctl demo`: what went wrong in five post-mortems, told again with kubeheal at work.
//!
//! Each story runs twice on virtual time: with the real controller, and with a monitor that can only restart.

mod chronicle;
mod expectation;
pub(crate) mod hands;
mod monitor;
mod observer;
mod report;
mod stage;
mod story;
mod timeline;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
};

use serde::Serialize;

use self::{
    expectation::{Evidence, Judged},
    report::Paint,
    stage::{Healer, Told, tell},
    story::Story,
    timeline::{Entry, timeline},
};
use crate::{args::Output, failure::Failure};

/// The stories that come with the binary.
const BUILT_IN: [(&str, &str); 5] = [
    ("ghost-restart.yaml", include_str!("../../stories/ghost-restart.yaml")),
    ("hasty-health-check.yaml", include_str!("../../stories/hasty-health-check.yaml")),
    ("restart-loop.yaml", include_str!("../../stories/restart-loop.yaml")),
    ("start-order.yaml", include_str!("../../stories/start-order.yaml")),
    ("cascading-failure.yaml", include_str!("../../stories/cascading-failure.yaml")),
];

/// Arguments of `healctl demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Stories (YAML) to tell instead of the built-in ones
    files: Vec<PathBuf>,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// How a story ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    name: String,
    title: String,
    #[serde(skip)]
    post_mortem: String,
    healed: bool,
    #[serde(rename = "outageSeconds")]
    outage: u64,
    actions: usize,
    #[serde(rename = "monitorOutageSeconds")]
    monitor_outage: u64,
    monitor_actions: u32,
    monitor_healed: bool,
    expectations: Vec<Judged>,
    timeline: Vec<Entry>,
}

impl Outcome {
    fn passed(&self) -> bool {
        self.expectations.iter().all(|judged| judged.held)
    }
}

impl Demo {
    /// Tells the stories. An error if any did not end as it should.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let stories = self.stories()?;
        let outcomes = tell_all(&stories)?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        let printed = match self.output {
            Output::Text => report::text(&mut out, &outcomes, Paint::for_stdout()),
            Output::Json => report::json(&mut out, &outcomes),
        };
        printed.and_then(|()| out.flush()).map_err(|error| Failure::output(&error))?;
        let failed: Vec<_> = outcomes.iter().filter(|one| !one.passed()).map(|one| one.name.as_str()).collect();
        if failed.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("not as expected: {}", failed.join(", "))))
    }

    fn stories(&self) -> Result<Vec<Story>, Failure> {
        if self.files.is_empty() {
            return BUILT_IN.iter().map(|(name, text)| Story::read(Path::new(name), text)).collect();
        }
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?;
            Story::read(path, &text)
        };
        self.files.iter().map(read).collect()
    }
}

/// Tells all stories at once, each twice.
fn tell_all(stories: &[Story]) -> Result<Vec<Outcome>, Failure> {
    thread::scope(|scope| {
        let begun: Vec<_> = stories
            .iter()
            .map(|story| {
                let with = |healer| scope.spawn(move || tell(story, healer));
                (story, with(Healer::Kubeheal), with(Healer::Monitor))
            })
            .collect();
        let ended = |story: &Story, told: thread::Result<Result<Told, Failure>>| {
            told.unwrap_or_else(|_| Err(Failure::new(format!("{}: the story broke off, this is a bug", story.name()))))
        };
        let outcome =
            |(story, kubeheal, monitor): (&Story, thread::ScopedJoinHandle<'_, _>, thread::ScopedJoinHandle<'_, _>)| {
                let (kubeheal, monitor) = (kubeheal.join(), monitor.join());
                Ok(judge(story, &ended(story, kubeheal)?, &ended(story, monitor)?))
            };
        begun.into_iter().map(outcome).collect()
    })
}

fn judge(story: &Story, kubeheal: &Told, monitor: &Told) -> Outcome {
    let evidence = Evidence {
        chronicle: &kubeheal.chronicle,
        healed: kubeheal.healed,
        outage: kubeheal.outage,
        monitor_outage: monitor.outage,
        from: story.first_break(),
    };
    Outcome {
        name: story.name(),
        title: story.title.clone(),
        post_mortem: story.post_mortem.clone(),
        healed: kubeheal.healed,
        outage: kubeheal.outage,
        actions: kubeheal.chronicle.actions().len(),
        monitor_outage: monitor.outage,
        monitor_actions: monitor.restarts,
        monitor_healed: monitor.healed,
        expectations: story.expect.judge(&evidence),
        timeline: timeline(story, &kubeheal.chronicle, &kubeheal.readiness),
    }
}
