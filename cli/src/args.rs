//! The command line.

use clap::{Parser, Subcommand, ValueEnum};

use crate::{failure::Failure, replay::Replay};

/// See, break and heal: the command line of kubeheal. Also usable as `kubectl heal`.
#[derive(Debug, Parser)]
#[command(name = "healctl", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
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
            Command::Replay(replay) => replay.run(),
        }
    }
}
