//! Traces to a collector, by OTLP over HTTP. Off unless the environment names one, as OpenTelemetry wants it.
//!
//! `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS` and `_TIMEOUT` (and the same for `_TRACES_`), `OTEL_SERVICE_NAME`,
//! `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*` and `OTEL_SDK_DISABLED` mean here what they mean everywhere.

use std::{env, time::Duration};

use http::Uri;
use opentelemetry::{KeyValue, Value, trace::TracerProvider};
use opentelemetry_otlp::{
    OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_EXPORTER_OTLP_TIMEOUT,
    OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, SpanExporter, WithHttpConfig,
};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::Level;
use tracing_subscriber::{Layer, filter::dynamic_filter_fn, registry::LookupSpan};

use crate::notify::audit;
use crate::ops::telemetry::collector::Collector;

/// Who we are, if the environment does not say otherwise.
const NAME: &str = "kubeheal";

/// Where spans are gathered and sent from; `None` if no collector is named. `identity` tells replicas apart.
pub(super) fn provider(identity: &str) -> Result<Option<SdkTracerProvider>, String> {
    let named = setting([OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT]);
    let Some((variable, endpoint)) = named.filter(|_| !is_disabled()) else { return Ok(None) };
    check_endpoint(variable, &endpoint)?;
    check_protocol()?;
    let collector = Collector::new(patience()).map_err(|error| format!("the way to {endpoint}: {error}"))?;
    let exporter = SpanExporter::builder().with_http().with_http_client(collector).build();
    let exporter = exporter.map_err(|error| error.to_string())?;
    Ok(Some(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource(identity)).build()))
}

/// Turns our spans into theirs: each reconcile, and the requests to the API server that it makes. What is said of a reconcile
/// in the log becomes an event of its span.
pub fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let wanted = dynamic_filter_fn(|about, context: &tracing_subscriber::layer::Context<'_, S>| {
        let target = about.target();
        let is_ours = target.starts_with(NAME) || target == audit::TARGET;
        let is_request = about.is_span() && target.starts_with("kube_client");
        // A watch asks too, for ever, and belongs to nothing.
        is_ours && *about.level() <= Level::INFO || is_request && context.lookup_current().is_some()
    });
    // Where in the source a span begins, and on which thread, says nothing to who reads traces.
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer(NAME));
    layer.with_location(false).with_threads(false).with_tracked_inactivity(false).with_filter(wanted)
}

/// The first of these that says something.
fn setting<const N: usize>(variables: [&'static str; N]) -> Option<(&'static str, String)> {
    let said = |variable| Some((variable, env::var(variable).ok()?.trim().to_owned()));
    variables.into_iter().filter_map(said).find(|(_, value)| !value.is_empty())
}

fn is_disabled() -> bool {
    setting(["OTEL_SDK_DISABLED"]).is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"))
}

fn check_endpoint(variable: &str, endpoint: &str) -> Result<(), String> {
    let uri = endpoint.parse::<Uri>().ok();
    let is_http = |uri: Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    if uri.is_some_and(is_http) {
        return Ok(());
    }
    Err(format!("{variable} \"{endpoint}\" is no address of a collector: write for example http://collector:4318"))
}

fn check_protocol() -> Result<(), String> {
    match setting([OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL]) {
        Some((variable, protocol)) if protocol != "http/protobuf" => Err(format!(
            "{variable} is \"{protocol}\", and only http/protobuf is spoken here: name the collector's port for it, mostly 4318"
        )),
        Some(_) | None => Ok(()),
    }
}

fn patience() -> Duration {
    let set = setting([OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, OTEL_EXPORTER_OTLP_TIMEOUT]);
    let milliseconds = set.and_then(|(_, value)| value.parse().ok());
    milliseconds.map_or(OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT, Duration::from_millis)
}

/// Who sends: what the environment says, and ours where it says nothing.
fn resource(identity: &str) -> Resource {
    let said = Resource::builder().build();
    let is_said = |attribute: &KeyValue| match said.get_ref(&attribute.key) {
        Some(Value::String(value)) => !value.as_str().starts_with("unknown_service"),
        Some(_) => true,
        None => false,
    };
    let ours = [
        KeyValue::new("service.name", NAME),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", identity.to_owned()),
    ];
    let missing: Vec<_> = ours.into_iter().filter(|attribute| !is_said(attribute)).collect();
    Resource::builder().with_attributes(missing).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_http_address() {
        for good in ["http://collector:4318", "https://otel.example.com/v1", "http://[::1]:4318"] {
            assert_eq!(check_endpoint("OTEL_EXPORTER_OTLP_ENDPOINT", good), Ok(()), "{good}");
        }
        for bad in ["collector:4318", "grpc://collector:4317", "http://", "http://a b", "/v1/traces", "\u{0}"] {
            let error = check_endpoint("OTEL_EXPORTER_OTLP_ENDPOINT", bad).unwrap_err();
            assert!(
                error.contains("OTEL_EXPORTER_OTLP_ENDPOINT") && error.contains("http://collector:4318"),
                "{error}"
            );
        }
    }
}
