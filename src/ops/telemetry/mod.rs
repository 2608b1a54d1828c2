//! Logs and traces. Logs are text for a person at a terminal, JSON for everything else; traces go to a collector, if one is
//! named. It tells what others decided and did, and must change nothing of it: not even the time it takes.

mod collector;
mod export;
mod filter;
mod span;

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    time::Duration,
};

use clap::ValueEnum;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::ParseError, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

pub use self::{
    export::layer,
    span::{decided, failed, reconcile},
};

/// For the last spans of a program that ends.
const LAST_SPANS: Duration = Duration::from_secs(3);

/// What is logged if nobody says otherwise. A filter names targets by prefix: `kube=warn` would silence `kubeheal` too. The
/// client's builder reports each failed request, which we say ourselves, once.
pub const DEFAULT_FILTER: &str = "info,kube_client=warn,kube_client::client::builder=off,kube_runtime=warn";

/// How a log line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object a line, its fields on the top level.
    Json,
    /// For reading.
    Text,
}

/// The filter cannot be read, or logging was set up before.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("\"{filter}\" is no log filter: {source}: write for example {DEFAULT_FILTER}")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Something else already takes the logs of this process.
    #[error("logging is already set up in this process: {0}")]
    Twice(Box<dyn std::error::Error + Send + Sync>),
}

/// What was set up, to be kept in order and ended.
#[derive(Debug)]
pub struct Telemetry {
    handle: reload::Handle<EnvFilter, Registry>,
    source: Option<filter::Source>,
    traces: Option<SdkTracerProvider>,
}

/// What is told, and how.
#[derive(Debug)]
pub struct Settings {
    /// How a log line looks.
    pub format: LogFormat,
    /// What is logged.
    pub filter: String,
    /// Where that stands instead, if it does; it may change there.
    pub filter_from: Option<PathBuf>,
    /// Who we are among the replicas.
    pub identity: String,
}

/// Sends what the filter lets through to stderr from now on, and a span of every reconcile to the collector that
/// `OTEL_EXPORTER_OTLP_ENDPOINT` names. To be called inside a tokio runtime.
///
/// # Errors
/// When the filter cannot be read, or logging was set up before. A file or a collector that is wrong is no error: that is said
/// in the log, and the controller works without.
pub fn init(settings: &Settings) -> Result<Telemetry, TelemetryError> {
    let Settings { format, filter, filter_from, identity } = settings;
    let mut first = parse(filter)?;
    let mut problems = Vec::new();
    let mut source = filter_from.clone().map(|path| filter::Source::new(path, filter));
    match source.as_mut().and_then(filter::Source::news) {
        Some(Ok(filter)) => first = filter,
        Some(Err(problem)) => problems.push(format!("{problem}; what --log says holds")),
        None => {}
    }
    let traces = export::provider(identity).unwrap_or_else(|problem| {
        problems.push(format!("no traces are exported: {problem}"));
        None
    });
    let (first, handle) = reload::Layer::new(first);
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = if is_json(*format) {
        lines.json().flatten_event(true).with_current_span(false).boxed()
    } else {
        lines.with_ansi(io::stderr().is_terminal()).boxed()
    };
    let registry = tracing_subscriber::registry().with(lines.with_filter(first)).with(traces.as_ref().map(layer));
    registry.try_init().map_err(|error| TelemetryError::Twice(Box::new(error)))?;
    for problem in problems {
        tracing::warn!("{problem}");
    }
    Ok(Telemetry { handle, source, traces })
}

impl Telemetry {
    /// Applies each change of the filter's file from now on.
    pub fn follow_filter(&mut self) {
        if let Some(source) = self.source.take() {
            tokio::spawn(source.follow(self.handle.clone()));
        }
    }

    /// Sends what was not sent yet, and waits for that, but not for long.
    pub async fn end(self) {
        if let Some(traces) = self.traces {
            // What the collector does not take now is lost; it has been said that it does not.
            let _ended = tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(LAST_SPANS)).await;
        }
    }
}

fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder().parse(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
}

fn is_json(format: LogFormat) -> bool {
    match format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Text => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_filter_shows_us_and_quiets_the_client() {
        let filter = parse(DEFAULT_FILTER).unwrap();
        let subscriber = fmt().with_env_filter(filter).with_writer(io::sink).finish();
        tracing::subscriber::with_default(subscriber, || {
            assert!(tracing::enabled!(target: "kubeheal::ops::leader", tracing::Level::INFO));
            assert!(!tracing::enabled!(target: "kube_client::client", tracing::Level::INFO));
        });
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let error = parse("kubeheal=loud").unwrap_err().to_string();
        assert!(error.contains("kubeheal=loud") && !error.contains('\n'), "{error}");
    }
}
