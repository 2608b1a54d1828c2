//! The `Accept` header: which form of an answer a client takes, and its text.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::yaml;
use crate::api::Status;
use crate::resource::Resource;
use crate::response::Body;

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
/// What is answered in these forms and what the real server offers besides.
const ALL: [&str; 3] = [JSON, YAML, "application/vnd.kubernetes.protobuf"];
const OF_WATCHES: [&str; 2] = ["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];

/// What an endpoint can answer with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Representation {
    /// Objects in any form, also as tables or metadata.
    Objects,
    /// Events of a watch.
    Watch,
    /// Lists of resources, as they are.
    Resources,
    /// All that is served in one list, or the plain ones.
    Aggregated,
    /// JSON alone.
    Plain,
}

/// One form in the header: a media type with parameters.
pub(super) struct Clause<'a> {
    media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> (Clause<'a>, f32) {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let mut parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let quality = parameters.iter().find(|(key, _)| *key == "q").and_then(|(_, value)| value.parse().ok());
        parameters.retain(|(key, _)| *key != "q");
        (Clause { media, parameters }, quality.unwrap_or(1.0))
    }

    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// Whether an endpoint can answer so. Answers in Protocol Buffers are not given.
    fn is_available(&self, representation: Representation) -> bool {
        let media = match representation {
            Representation::Watch | Representation::Plain => matches!(self.media, JSON | "*/*"),
            _ => matches!(self.media, JSON | YAML | "*/*"),
        };
        let kind = (self.parameter("as"), self.parameter("g"), self.parameter("v"));
        let shape = match (representation, kind) {
            (_, ("", _, _)) => true,
            (
                Representation::Objects | Representation::Watch,
                ("Table" | "PartialObjectMetadata" | "PartialObjectMetadataList", group, version),
            ) => matches!(group, "meta.k8s.io" | "") && matches!(version, "v1" | "v1beta1" | ""),
            (Representation::Aggregated, ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2")) => true,
            _ => false,
        };
        media && shape
    }
}

/// The forms of a header, the most wanted first. Nothing is the same as anything.
pub(super) fn clauses(header: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<(Clause<'_>, f32)> =
        header.split(',').filter(|text| !text.trim().is_empty()).map(Clause::parse).collect();
    clauses.sort_by(|(one, best), (other, next)| {
        next.total_cmp(best).then_with(|| (one.media == "*/*").cmp(&(other.media == "*/*")))
    });
    if clauses.is_empty() {
        clauses.push(Clause::parse("*/*"));
    }
    clauses.into_iter().map(|(clause, _)| clause).collect()
}

/// The form an endpoint answers in.
///
/// # Errors
/// 406 if the client takes none that is offered.
pub(super) fn negotiate(header: &str, representation: Representation) -> Result<Clause<'_>, Status> {
    let named = |media: &str| media == "*/*" || ALL.contains(&media);
    let known = match representation {
        Representation::Plain => clauses(header).iter().any(|clause| matches!(clause.media, JSON | "*/*")),
        _ => clauses(header).iter().any(|clause| named(clause.media)),
    };
    if !known {
        let offered = if representation == Representation::Plain { JSON.to_owned() } else { ALL.join(", ") };
        let message = format!("406: Not Acceptable\n\nAvailable representations: {offered}");
        return Err(Status::new(406, "NotAcceptable", message).with_details(json!({})));
    }
    clauses(header).into_iter().find(|clause| clause.is_available(representation)).ok_or_else(|| {
        let accepted = if representation == Representation::Watch { OF_WATCHES.join(", ") } else { ALL.join(", ") };
        Status::new(406, "NotAcceptable", format!("only the following media types are accepted: {accepted}"))
    })
}

/// 406 of a list that was asked for where there is one object.
pub(super) fn no_list(resource: &Resource) -> Status {
    let group = if resource.group.is_empty() { "core" } else { resource.group.split('.').next().unwrap_or_default() };
    let object = format!("*{group}.{}", resource.kind);
    let message = format!("you requested PartialObjectMetadataList, but the requested object is not a list ({object})");
    Status::new(406, "NotAcceptable", message)
}

/// A whole answer in the form that the client wants: YAML, or JSON on many lines.
pub(crate) async fn shaped(response: Response<Body>, accept: &str, pretty: bool) -> Response<Body> {
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(JSON.as_bytes()));
    // A failure is told in the first form that can be, whatever parameters are wrong.
    let media =
        clauses(accept).into_iter().map(|clause| clause.media).find(|media| matches!(*media, JSON | YAML | "*/*"));
    let as_yaml = media == Some(YAML);
    // What has no length yet is a stream.
    if !is_json || !(as_yaml || pretty) || response.body().size_hint().exact().is_none() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(collected) = body.collect().await;
    let text = collected.to_bytes();
    let Ok(value) = serde_json::from_slice::<Value>(&text) else {
        return rebuilt(parts, text);
    };
    parts.headers.remove(CONTENT_LENGTH);
    if as_yaml {
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(YAML));
        return rebuilt(parts, yaml::text(&value).into());
    }
    match serde_json::to_vec_pretty(&value) {
        Ok(lines) => rebuilt(parts, lines.into()),
        Err(_) => rebuilt(parts, text),
    }
}

fn rebuilt(parts: http::response::Parts, body: Bytes) -> Response<Body> {
    Response::from_parts(parts, Full::new(body).boxed_unsync())
}
