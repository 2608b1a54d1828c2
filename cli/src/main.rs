//! healctl: the command line of kubeheal.

mod args;
mod breaking;
mod demo;
mod failure;
mod playground;
mod replay;
mod spec;
mod target;
mod yaml;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match args::Args::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.code() > 0 {
                eprintln!("healctl: {failure}");
            }
            ExitCode::from(failure.code())
        }
    }
}
