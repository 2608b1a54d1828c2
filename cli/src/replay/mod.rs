//! `healctl replay`: what kubeheal would have said and done while a recording was made.

mod line;
mod player;
mod trace;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use kube::ResourceExt;
use kubeheal::api::HealedService;

use self::{line::Line, player::Player, trace::Trace};
use crate::{failure::Failure, output::Output, spec};

/// Arguments of `healctl replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// Recorded watch stream: JSON lines of {t, resource, type, object}
    trace: PathBuf,
    /// `HealedService` (YAML) to replay it for
    #[arg(long)]
    spec: PathBuf,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

impl Replay {
    /// Plays the recording and prints every change of what kubeheal says.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let service = spec::read(&self.spec)?;
        let trace = trace::read(&self.trace)?;
        let service = self.place(service, &trace)?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        let output = self.output;
        let mut player = Player::new(service, trace.base);
        let print = |line: &Line<'_>| match output {
            Output::Json => writeln!(out, "{}", serde_json::to_string(line).map_err(io::Error::other)?),
            Output::Text => writeln!(out, "{line}"),
        };
        player.play(trace, print).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
    }

    /// Puts the service where the recording was made.
    fn place(&self, mut service: HealedService, trace: &Trace) -> Result<HealedService, Failure> {
        let own = service.namespace();
        if own.as_ref().is_some_and(|namespace| trace.namespaces.contains(namespace)) {
            return Ok(service);
        }
        let mut recorded = trace.namespaces.iter();
        match (recorded.next(), recorded.next(), own) {
            (Some(only), None, own) => {
                if let Some(own) = own {
                    let (spec, trace) = (self.spec.display(), self.trace.display());
                    eprintln!("healctl: {spec}: namespace {own} does not occur in {trace}, using {only}");
                }
                service.metadata.namespace = Some(only.clone());
                Ok(service)
            }
            (None, _, own) => {
                service.metadata.namespace = Some(own.unwrap_or_else(|| "default".to_owned()));
                Ok(service)
            }
            (Some(_), Some(_), _) => {
                let all: Vec<_> = trace.namespaces.iter().map(String::as_str).collect();
                let (spec, trace) = (self.spec.display(), self.trace.display());
                let all = all.join(", ");
                Err(Failure::input(format!("{spec}: set metadata.namespace to one of those in {trace}: {all}")))
            }
        }
    }
}
