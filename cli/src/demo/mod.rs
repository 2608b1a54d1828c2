//! `healctl demo`: what went wrong once, told again with kubeheal at work.
//!
//! Each story runs on virtual time with the real controller; the post-mortems, and whoever names a monitor, a second time
//! with a monitor that can only restart.

mod account;
mod chronicle;
mod duration;
mod expectation;
pub(crate) mod hands;
mod judgement;
mod library;
mod monitor;
mod observer;
mod outcome;
mod report;
mod service;
mod stage;
mod story;
mod timeline;

use std::{
    io::{self, Write},
    path::Path,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use self::{
    library::{GROUPS, Group},
    outcome::Outcome,
    report::{Manner, Paint},
    story::Story,
};
use crate::{failure::Failure, output::Output};

/// Arguments of `healctl demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Stories by name or as files (YAML), told in full, or groups of stories, summed up [default: the five post-mortems]
    stories: Vec<String>,
    /// Tell all stories, one line each
    #[arg(long, conflicts_with = "stories")]
    all: bool,
    /// Say which stories there are
    #[arg(long, conflicts_with_all = ["stories", "all"])]
    list: bool,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// A story and how it is to be told.
struct Asked {
    story: Story,
    manner: Manner,
}

impl Demo {
    /// Tells the stories. An error if any did not end as it should.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        if self.list {
            return self.list();
        }
        let asked = self.asked()?;
        let outcomes = match self.output {
            Output::Text => {
                let paint = Paint::for_stdout();
                let mut out = io::stdout().lock();
                let each = |manner, outcome: &Outcome| written(report::story(&mut out, outcome, manner, paint));
                let outcomes = tell_all(&asked, each)?;
                written(report::end(&mut out, &outcomes, paint))?;
                outcomes
            }
            Output::Json => {
                let outcomes = tell_all(&asked, |_, _| Ok(()))?;
                written(report::json(&mut io::BufWriter::new(io::stdout().lock()), &outcomes))?;
                outcomes
            }
        };
        let failed = outcomes.iter().map(|(_, outcome)| outcome).filter(|outcome| !outcome.passed());
        let failed: Vec<_> = failed.map(|outcome| outcome.name.as_str()).collect();
        if failed.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("not as expected: {}", failed.join(", "))))
    }

    fn list(&self) -> Result<(), Failure> {
        let groups: Vec<(&Group, Vec<Story>)> =
            GROUPS.iter().map(|group| Ok((group, group.read()?))).collect::<Result<_, Failure>>()?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        let listed = match self.output {
            Output::Text => report::list(&mut out, &groups, Paint::for_stdout()),
            Output::Json => report::list_json(&mut out, &groups),
        };
        written(listed.and_then(|()| out.flush()))
    }

    fn asked(&self) -> Result<Vec<Asked>, Failure> {
        let told = |stories: Vec<Story>, manner| stories.into_iter().map(move |story| Asked { story, manner });
        let mut asked = Vec::new();
        if self.all {
            for group in GROUPS {
                asked.extend(told(group.read()?, Manner::InALine));
            }
        } else if self.stories.is_empty() {
            for group in GROUPS.iter().take(1) {
                asked.extend(told(group.read()?, Manner::InFull));
            }
        }
        for name in &self.stories {
            match library::group(name) {
                Some(group) => asked.extend(told(group.read()?, Manner::InALine)),
                None => asked.extend(told(vec![named(name)?], Manner::InFull)),
            }
        }
        Ok(asked)
    }
}

/// A story of ours, or else a file.
fn named(name: &str) -> Result<Story, Failure> {
    if let Some(story) = library::story(name) {
        return story;
    }
    let path = Path::new(name);
    let text = std::fs::read_to_string(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            let hint = "see healctl demo --list";
            return Failure::input(format!("{name}: there is no such story, group of stories or file: {hint}"));
        }
        Failure::unreadable(path, &error)
    })?;
    Story::read(path, &text)
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| Failure::output(&error))
}

/// Tells as many stories at once as there are processors, and shows each as soon as those before it were shown.
fn tell_all(
    asked: &[Asked],
    mut show: impl FnMut(Manner, &Outcome) -> Result<(), Failure>,
) -> Result<Vec<(Manner, Outcome)>, Failure> {
    let tellers = thread::available_parallelism().map_or(1, usize::from).min(asked.len());
    let next = AtomicUsize::new(0);
    let (senders, receivers): (Vec<_>, Vec<_>) = asked.iter().map(|_| mpsc::channel()).unzip();
    thread::scope(|scope| {
        for _ in 0..tellers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(one), Some(sender)) = (asked.get(index), senders.get(index)) else { return };
                    // Nobody listens any more once the output cannot be written.
                    let _ = sender.send(Outcome::of(&one.story));
                }
            });
        }
        let shown = asked.iter().zip(&receivers).map(|(one, receiver)| {
            let broken = |_| Err(Failure::new(format!("{}: was not told, this is a bug", one.story.name())));
            let outcome = receiver.recv().unwrap_or_else(broken)?;
            show(one.manner, &outcome)?;
            Ok((one.manner, outcome))
        });
        let shown: Result<Vec<_>, Failure> = shown.collect();
        if shown.is_err() {
            next.store(asked.len(), Ordering::Relaxed);
        }
        shown
    })
}
