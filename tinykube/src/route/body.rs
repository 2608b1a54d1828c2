//! Reading what a client sent.

use serde_json::Value;

use super::{Request, parameters, protobuf, yaml_body};
use crate::api::path::Query;
use crate::api::{Api, Cause, DeleteOptions, FieldValidation, Options, Propagation, Status};
use crate::builtin;
use crate::object::text;
use crate::patch::Patch;
use crate::resource::Resource;
use crate::schema::{self, strict};

/// The object of a create or update request, of the kind the path says.
pub(super) fn object(request: &Request<'_>, resource: &Resource, options: &Options) -> Result<Value, Status> {
    check_media_type(request)?;
    let mut value = read(request).map_err(|why| unrecognized(request, resource, &why))?;
    check_is_object(&value).map_err(|why| unrecognized(request, resource, &why))?;
    check_other_version(request.api, resource, &value, options)?;
    check_kind(resource, &value)?;
    if options.validation != FieldValidation::Ignore && !is_protobuf(request) {
        check_repeated(request, resource, &mut value, options)?;
    }
    Ok(value)
}

/// Refuses or warns about fields that occur twice, and about those that are unknown in the same object. Those that are unknown
/// in other objects are found later.
fn check_repeated(
    request: &Request<'_>,
    resource: &Resource,
    value: &mut Value,
    options: &Options,
) -> Result<(), Status> {
    if is_yaml(request) {
        let Some(repeated) = yaml_body::repeated(&request.body) else { return Ok(()) };
        let unknown = builtin::take_unknown(resource, value)?;
        let unknown = unknown.iter().map(|path| format!("unknown field {path:?}"));
        let faults = std::iter::once(repeated).chain(unknown).collect();
        return schema::report(&resource.kind, &resource.version, faults, options);
    }
    if strict::has_repeated(&request.body) {
        let unknown = builtin::take_unknown(resource, value)?;
        let faults = strict::faults(&request.body, &unknown);
        return schema::report(&resource.kind, &resource.version, faults, options);
    }
    Ok(())
}

fn unrecognized(request: &Request<'_>, resource: &Resource, why: &str) -> Status {
    let json = if is_yaml(request) && why.starts_with("yaml: ") {
        ""
    } else {
        "couldn't get version/kind; json parse error: "
    };
    let (kind, summary) = (&resource.kind, summary(&request.body));
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): {json}{why} ({summary})"
    ))
}

/// The beginning of a body: as it is if it may be an object, else as numbers.
fn summary(body: &[u8]) -> String {
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(body).chars().take(100).collect(),
        Some(_) => body.iter().take(50).fold(String::new(), |text, byte| text + &format!("{byte:02x}")),
    }
}

/// What Go says of JSON that is no object.
fn check_is_object(value: &Value) -> Result<(), String> {
    const TYPE: &str =
        r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    match kind_of(value) {
        "object" | "null" => Ok(()),
        kind => Err(format!("json: cannot unmarshal {kind} into Go value of type {TYPE}")),
    }
}

/// A JSON value as Go names it.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn check_kind(resource: &Resource, value: &Value) -> Result<(), Status> {
    let (kind, version) =
        (value["kind"].as_str().unwrap_or_default(), value["apiVersion"].as_str().unwrap_or_default());
    if (kind.is_empty() || kind == resource.kind) && (version.is_empty() || version == resource.api_version()) {
        return Ok(());
    }
    if resource.custom && version == resource.api_version() {
        let why = format!("must be {}", resource.kind);
        let name = text(value, "/metadata/name");
        return Err(Status::invalid_kind(&resource.group, kind, name, &[Cause::invalid("kind", &kind.into(), &why)]));
    }
    if resource.custom {
        return Err(Status::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({})",
            resource.api_version()
        )));
    }
    let short = version.rsplit('/').next().unwrap_or_default();
    if kind == resource.kind {
        return Err(Status::bad_request(format!(
            "{kind} in version {short:?} cannot be handled as a {kind}: no kind {kind:?} is registered for version \
             {version:?} in scheme \"k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30\""
        )));
    }
    let internal =
        if resource.group.is_empty() { "core" } else { resource.group.split('.').next().unwrap_or_default() };
    Err(Status::bad_request(format!(
        "{kind} in version {version:?} cannot be handled as a {}: converting ({short}.{kind}) to ({internal}.{}): \
         unknown conversion",
        resource.kind, resource.kind
    )))
}

/// A custom resource of another version than the path's is read before it is refused: as that version, or, when there is
/// none of this name, as one that has no fields.
fn check_other_version(api: &Api, resource: &Resource, value: &Value, options: &Options) -> Result<(), Status> {
    let Some((group, version)) = value["apiVersion"].as_str().and_then(|version| version.split_once('/')) else {
        return Ok(());
    };
    let is_other = resource.custom && version != resource.version;
    if !is_other || group != resource.group || value["kind"] != *resource.kind {
        return Ok(());
    }
    let other = api.registry().at(group, version, &resource.plural).and_then(|other| api.registry().custom(&other));
    let unknown = schema::prune::unknown(other.as_ref().map_or(&Value::Null, |other| &other.schema.root), value);
    schema::report(&resource.kind, version, unknown, options)
}

/// JSON and YAML are read, and Protocol Buffers of a few kinds.
fn check_media_type(request: &Request<'_>) -> Result<(), Status> {
    let kind = request.content_type.split(';').next().unwrap_or_default().trim();
    let is_readable = || protobuf::read(&request.body).is_some();
    if matches!(kind, "" | "application/json" | "application/yaml" | "*/*") || (is_protobuf(request) && is_readable()) {
        return Ok(());
    }
    let message = "the body of the request was in an unknown format - accepted media types include: \
                   application/json, application/yaml, application/vnd.kubernetes.protobuf";
    if is_protobuf(request) {
        return Err(not_read());
    }
    Err(Status::new(415, "UnsupportedMediaType", message))
}

/// What is sent in Protocol Buffers and cannot be kept whole is not taken at all.
fn not_read() -> Status {
    let message = "tinykube reads Protocol Buffers of some kinds only, and takes none with a field that it does not know: \
                   send application/json";
    Status::new(415, "UnsupportedMediaType", message)
}

/// The status of an object is not read from Protocol Buffers.
pub(super) fn check_keeps_status(request: &Request<'_>) -> Result<(), Status> {
    if is_protobuf(request) { Err(not_read()) } else { Ok(()) }
}

/// The body as an object of a kind that is no resource.
pub(super) fn of_kind(request: &Request<'_>, version: &str, kind: &str) -> Result<Value, Status> {
    let value = json(request)?;
    let (given, sent) = (value["kind"].as_str().unwrap_or_default(), value["apiVersion"].as_str().unwrap_or_default());
    if (given.is_empty() || given == kind) && (sent.is_empty() || sent == version) {
        return Ok(value);
    }
    let short = sent.rsplit('/').next().unwrap_or_default();
    let internal = version.split(['/', '.']).next().unwrap_or_default();
    Err(Status::bad_request(format!(
        "{given} in version {sent:?} cannot be handled as a {kind}: converting ({short}.{given}) to ({internal}.{kind}): \
         unknown conversion"
    )))
}

/// The body as JSON, whatever kind it is.
pub(super) fn json(request: &Request<'_>) -> Result<Value, Status> {
    check_media_type(request)?;
    read(request).map_err(|why| Status::bad_request(format!("the body of the request could not be read: {why}")))
}

fn is_yaml(request: &Request<'_>) -> bool {
    request.content_type.contains("yaml")
}

fn is_protobuf(request: &Request<'_>) -> bool {
    request.content_type.starts_with("application/vnd.kubernetes.protobuf")
}

fn read(request: &Request<'_>) -> Result<Value, String> {
    if is_protobuf(request) {
        return protobuf::read(&request.body).ok_or_else(|| "not an object of a kind that is read".to_owned());
    }
    if is_yaml(request) {
        return yaml_body::read(&request.body);
    }
    serde_json::from_slice(&request.body).map_err(|error| strict::go_error(&request.body, &error))
}

/// The patch of a request, by its content type.
pub(super) fn patch(request: &Request<'_>, resource: &Resource) -> Result<Patch, Status> {
    let kind = request.content_type.split(';').next().unwrap_or_default().trim();
    let unread = |why: String| Status::bad_request(format!("error decoding patch: {why}"));
    match kind {
        "application/json-patch+json" => {
            let operations = read(request).map_err(unread)?;
            if !operations.is_array() {
                let kind = kind_of(&operations);
                return Err(unread(format!(
                    "json: cannot unmarshal {kind} into Go value of type []handlers.jsonPatchOp"
                )));
            }
            let refused = |_| {
                let message = "the server rejected our request due to an error in our request";
                Status::new(422, "Invalid", message).with_details(serde_json::json!({}))
            };
            serde_json::from_value(operations).map(Patch::Json).map_err(refused)
        }
        "application/merge-patch+json" => Ok(Patch::Merge(members(read(request).map_err(unread)?).map_err(unread)?)),
        "application/strategic-merge-patch+json" if resource.custom => {
            let message = "the body of the request was in an unknown format - accepted media types include: \
                           application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
            Err(Status::new(415, "UnsupportedMediaType", message))
        }
        "application/strategic-merge-patch+json" => {
            Ok(Patch::Strategic(members(read(request).map_err(unread)?).map_err(unread)?))
        }
        "application/apply-patch+yaml" => apply_patch(request, resource),
        _ => {
            Err(Status::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
                .with_details(serde_json::json!({})))
        }
    }
}

/// A patch that is an object, or what Go says of another one.
fn members(patch: Value) -> Result<Value, String> {
    match kind_of(&patch) {
        "object" => Ok(patch),
        kind => Err(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")),
    }
}

fn apply_patch(request: &Request<'_>, resource: &Resource) -> Result<Patch, Status> {
    if request.query.get("fieldManager").is_empty() {
        let cause = crate::api::Cause::required("fieldManager", "is required for apply patch");
        return Err(Status::invalid_kind("meta.k8s.io", "PatchOptions", "", &[cause]));
    }
    // JSON is YAML, and most clients send it.
    let object = serde_json::from_slice(&request.body).or_else(|_| {
        let text = std::str::from_utf8(&request.body).unwrap_or_default();
        serde_saphyr::from_str::<Value>(text)
    });
    let object = object.map_err(|error| error.to_string()).and_then(members);
    let object = object.map_err(|why| Status::bad_request(format!("error decoding YAML: {why}")))?;
    check_kind(resource, &object)?;
    Ok(Patch::Apply { object, force: request.query.is_true("force") })
}

/// How to delete: the body, then the query parameters.
pub(super) fn delete_options(request: &Request<'_>) -> Result<DeleteOptions, Status> {
    let body = if request.body.is_empty() {
        Value::Null
    } else {
        check_media_type(request)?;
        let refused = |why| Status::bad_request(format!("couldn't get version/kind; json parse error: {why}"));
        read(request).map_err(refused)?
    };
    let mut options = delete_options_of(&body);
    let query = &request.query;
    let grace = query.number("gracePeriodSeconds")?;
    check_deletion(&body, query)?;
    options.grace_period_seconds = options.grace_period_seconds.or(grace);
    options.propagation = options.propagation.or_else(|| propagation(query.get("propagationPolicy")));
    options.dry_run |= !query.get("dryRun").is_empty();
    Ok(options)
}

fn check_deletion(body: &Value, query: &Query) -> Result<(), Status> {
    let mut causes = Vec::new();
    let policy =
        if query.has("propagationPolicy") { query.get("propagationPolicy") } else { text(body, "/propagationPolicy") };
    let orphans = query.has("orphanDependents") || body["orphanDependents"].is_boolean();
    if orphans && !policy.is_empty() {
        let why = "orphanDependents and deletionPropagation cannot be both set";
        causes.push(Cause::invalid("propagationPolicy", &policy.into(), why));
    }
    for policy in [body["propagationPolicy"].as_str().unwrap_or_default(), query.get("propagationPolicy")] {
        if !policy.is_empty() && propagation(policy).is_none() {
            let supported = ["Foreground", "Background", "Orphan", "nil"];
            causes.push(Cause::unsupported("propagationPolicy", &policy.into(), &supported));
        }
    }
    let stages = body["dryRun"].as_array().into_iter().flatten().filter_map(Value::as_str);
    causes.extend(stages.chain([query.get("dryRun")]).filter_map(parameters::dry_run_causes));
    if causes.is_empty() {
        return Ok(());
    }
    Err(Status::invalid_kind("meta.k8s.io", "DeleteOptions", "", &causes))
}

/// A `DeleteOptions` object.
pub(super) fn delete_options_of(body: &Value) -> DeleteOptions {
    let orphan = body["orphanDependents"]
        .as_bool()
        .map(|orphan| if orphan { Propagation::Orphan } else { Propagation::Background });
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    DeleteOptions {
        grace_period_seconds: body["gracePeriodSeconds"].as_i64(),
        propagation: propagation(body["propagationPolicy"].as_str().unwrap_or_default()).or(orphan),
        uid: text(&body["preconditions"]["uid"]),
        resource_version: text(&body["preconditions"]["resourceVersion"]),
        dry_run: body["dryRun"].as_array().is_some_and(|stages| !stages.is_empty()),
    }
}

fn propagation(policy: &str) -> Option<Propagation> {
    match policy {
        "Orphan" => Some(Propagation::Orphan),
        "Background" => Some(Propagation::Background),
        "Foreground" => Some(Propagation::Foreground),
        _ => None,
    }
}
