//! healctl: the command line of kubeheal.

mod args;
mod breaking;
mod demo;
mod failure;
mod output;
mod playground;
mod replay;
mod spec;
mod target;
mod yaml;

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // Logs are for those who ask for them; everybody else gets one line.
    if std::env::var_os(EnvFilter::DEFAULT_ENV).is_some() {
        tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    }
    match args::Args::read().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            ExitCode::from(failure.code())
        }
    }
}
