//! The command line.

use clap::{Parser, Subcommand, ValueEnum};

use crate::{demo::Demo, failure::Failure, replay::Replay};

/// See, break and heal: the command line of kubeheal. Also usable as `kubectl heal`.
#[derive(Debug, Parser)]
#[command(name = "healctl", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell stories of outages twice: healed by kubeheal, and restarted by a monitor
    Demo(Demo),
    /// Say what kubeheal would have done while a watch stream was recorded
    Replay(Replay),
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

impl Args {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Demo(demo) => demo.run(),
            Command::Replay(replay) => replay.run(),
        }
    }
}
