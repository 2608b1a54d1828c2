//! The command line.

use std::path::Path;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{breaking::Break, demo::Demo, failure::Failure, playground::Playground, replay::Replay};

/// See, break and heal: the command line of kubeheal. Also usable as `kubectl heal`.
#[derive(Debug, Parser)]
#[command(name = "healctl", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a workload of the playground fail
    Break(Break),
    /// Tell stories of outages with kubeheal at work, and how each ended
    Demo(Demo),
    /// Run a cluster on this machine, with kubeheal at work in it
    Playground(Playground),
    /// Say what kubeheal would have done while a watch stream was recorded
    Replay(Replay),
}

impl Args {
    /// Those of this process. kubectl finds plugins by their name, `kubectl-heal`, and people call it `kubectl heal`.
    pub(crate) fn read() -> Self {
        let mut command = Self::command();
        let called = std::env::args_os().next();
        if called.is_some_and(|path| Path::new(&path).file_stem().is_some_and(|name| name == "kubectl-heal")) {
            command = command.bin_name("kubectl heal");
        }
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }

    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Break(one) => one.run(),
            Command::Playground(playground) => playground.run(),
            Command::Demo(demo) => demo.run(),
            Command::Replay(replay) => replay.run(),
        }
    }
}
