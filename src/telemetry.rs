//! Logs: text for a person at a terminal, JSON for everything else.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt};

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
    #[error("--log (or KUBEHEAL_LOG) \"{filter}\" is no log filter: {source}: write for example {DEFAULT_FILTER}")]
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

/// Sends what `filter` lets through to stderr from now on.
///
/// # Errors
/// When the filter cannot be read, or logging was set up before.
pub fn init(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let filter = parse(filter)?;
    let subscriber = fmt().with_writer(io::stderr).with_env_filter(filter);
    let result = if is_json(format) {
        subscriber.json().flatten_event(true).with_current_span(false).try_init()
    } else {
        subscriber.with_ansi(io::stderr().is_terminal()).try_init()
    };
    result.map_err(TelemetryError::Twice)
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
            assert!(tracing::enabled!(target: "kubeheal::leader", tracing::Level::INFO));
            assert!(!tracing::enabled!(target: "kube_client::client", tracing::Level::INFO));
        });
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let error = parse("kubeheal=loud").unwrap_err().to_string();
        assert!(error.contains("kubeheal=loud") && !error.contains('\n'), "{error}");
    }
}
