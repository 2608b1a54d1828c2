//! From a request to the verb that answers it.

pub(crate) mod accept;
mod body;
mod logs;
mod messages;
mod parameters;
mod protobuf;
mod reviews;
mod unserved;
mod yaml;
mod yaml_body;

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use self::accept::Representation;
use crate::access::{self, Attempt};
use crate::api::path::{Query, ResourcePath, Target};
use crate::api::view::View;
use crate::api::watch::WatchOptions;
use crate::api::{Api, Deletion, ListOptions, Options, Part, Status, Warnings, discovery};
use crate::auth::{Auth, User};
use crate::kubelet::Logs;
use crate::resource::Resource;
use crate::response::{Body, failure, reply, reply_plainly, stream};
use crate::{escalation, kinds, object, openapi};

/// A request, authenticated and read.
pub(crate) struct Request<'a> {
    pub(crate) api: &'a Api,
    /// The logs of the node's containers, if there is a node.
    pub(crate) logs: Option<&'a Logs>,
    /// Who is known, for those who ask.
    pub(crate) auth: &'a Auth,
    pub(crate) user: User,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Query,
    pub(crate) accept: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) body: Bytes,
}

/// A request for a resource that is served.
struct Call<'a> {
    request: &'a Request<'a>,
    api: &'a Api,
    resource: Resource,
    path: ResourcePath,
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Answers a request.
///
/// # Errors
/// The [`Status`] to answer instead.
pub(crate) fn answer(request: &Request<'_>) -> Result<Response<Body>, Status> {
    let target = Target::parse(request.path);
    access::check(request.api, &request.user, &attempt(request.method, request.path, &request.query))?;
    match target {
        Target::Resource(path) => answer_resource(request, path),
        Target::Version { group, version } => {
            let found = request.api.resource_list(&group, &version);
            let is_known =
                group.is_empty() || (request.api.group(&group).is_some() && !request.api.is_custom_group(&group));
            resources(request, found, is_known)
        }
        Target::Group(group) => resources(request, request.api.group(&group), false),
        Target::Other(path) => unserved::path(&path).map_or_else(|| answer_other(request, &path), Err),
    }
}

/// A list of resources; a version that is not there is told otherwise than a group that is not there.
fn resources(request: &Request<'_>, found: Option<Value>, is_known: bool) -> Result<Response<Body>, Status> {
    match found {
        None if is_known => Err(Status::no_such_path()),
        None => Ok(not_found()),
        Some(_) if request.method != "GET" => Err(Status::method_not_allowed()),
        found => {
            accept::negotiate(request.accept, Representation::Resources)?;
            Ok(json_or_404(found))
        }
    }
}

fn json_or_404(found: Option<Value>) -> Response<Body> {
    match found {
        Some(value) => reply(200, JSON, value.to_string().into_bytes()),
        None => not_found(),
    }
}

fn not_found() -> Response<Body> {
    reply(404, TEXT, b"404 page not found\n".to_vec())
}

/// Checks of the server's health, each by its name.
const CHECKS: [&str; 3] = ["healthz", "livez", "readyz"];

fn health(path: &str) -> Option<Response<Body>> {
    let (check, part) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), "all"));
    let is_known = CHECKS.contains(&check) && matches!(part, "all" | "ping" | "log") && !path.starts_with("//");
    is_known.then(|| reply(200, TEXT, b"ok".to_vec()))
}

fn answer_other(request: &Request<'_>, path: &str) -> Result<Response<Body>, Status> {
    const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    if let Some(health) = health(path) {
        return Ok(health);
    }
    if path.starts_with("//") {
        return Ok(not_found());
    }
    let trimmed = path.trim_matches('/');
    let is_known = matches!(trimmed, "" | "version" | "api" | "apis" | "openapi/v2" | "openapi/v3")
        || trimmed.starts_with("openapi/v3/");
    if !is_known {
        return Ok(not_found());
    }
    // The list of groups is given to whoever asks in whatever way.
    if request.method != "GET" && trimmed != "apis" {
        return Err(Status::method_not_allowed());
    }
    Ok(match trimmed {
        "" => json_or_404(Some(json!({"paths": paths(request.api)}))),
        "version" => {
            accept::negotiate(request.accept, Representation::Plain)?;
            reply_plainly(200, JSON, format!("{:#}", discovery::version()).into_bytes())
        }
        "api" | "apis" => match accept::negotiate(request.accept, Representation::Aggregated)?.parameter("as") {
            "" if trimmed == "apis" => json_or_404(Some(request.api.group_list())),
            "" => json_or_404(Some(json!({
                "kind": "APIVersions",
                "versions": ["v1"],
                "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}],
            }))),
            _ => reply(200, AGGREGATED, request.api.aggregated(trimmed == "api").to_string().into_bytes()),
        },
        "openapi/v2" if request.accept.contains("proto-openapi.spec.v2") => {
            reply(200, openapi::v2::PROTOBUF, openapi::v2::protobuf(request.api))
        }
        "openapi/v2" => json_or_404(Some(openapi::v2::json(request.api))),
        "openapi/v3" => json_or_404(Some(openapi::index(request.api))),
        other => {
            let document = other.strip_prefix("openapi/v3/");
            match document.and_then(|document| openapi::document(request.api, document)) {
                Some(document) => json_or_404(Some(document)),
                None => reply(404, JSON, Vec::new()),
            }
        }
    })
}

/// Every path that leads to more.
fn paths(api: &Api) -> Vec<String> {
    let mut paths: Vec<String> = vec!["/api".into(), "/api/v1".into(), "/apis".into()];
    for (group, versions) in api.groups().into_iter().filter(|(group, _)| !group.is_empty()) {
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
    }
    paths.extend(["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
    paths.sort();
    paths
}

fn answer_resource(request: &Request<'_>, path: ResourcePath) -> Result<Response<Body>, Status> {
    let api = request.api;
    // Of one object there are no events but by the old paths; it is answered with as it is.
    let watching = is_watch(&path, &request.query);
    let Some(resource) = api.registry().at(&path.group, &path.version, &path.plural) else {
        let served =
            api.groups().into_iter().any(|(group, versions)| group == path.group && versions.contains(&path.version));
        let served = served && !api.is_custom_group(&path.group);
        return match unserved::resource(&path) {
            Some(status) => Err(status),
            None if served => Err(Status::no_such_path()),
            None => Ok(json_or_404(None)),
        };
    };
    let has_namespace = !path.namespace.is_empty() && !resource.is("", "namespaces");
    if path.has_gap
        || (resource.namespaced && !has_namespace && !path.name.is_empty())
        || (!resource.namespaced && has_namespace)
    {
        return Err(Status::no_such_path());
    }
    let is_everywhere = resource.namespaced && !has_namespace;
    if is_everywhere && request.method != "GET" && !resource.virtual_only {
        return Err(Status::method_not_allowed());
    }
    if resource.virtual_only && !path.name.is_empty() {
        return Err(Status::no_such_path());
    }
    let is_served = match path.subresource.as_str() {
        "status" => resource.status,
        "scale" => resource.scale,
        _ => true,
    };
    if !is_served {
        let name = &path.name;
        return Err(if resource.custom { Status::not_found(&resource, name) } else { Status::no_such_path() });
    }
    if path.subresource != "log" {
        let form =
            accept::negotiate(request.accept, if watching { Representation::Watch } else { Representation::Objects })?;
        if form.parameter("as") == "PartialObjectMetadataList" && !path.name.is_empty() && !watching {
            return Err(accept::no_list(&resource));
        }
    }
    let deprecation = api.registry().deprecation(&resource).or_else(|| on_its_way_out(&resource));
    let (included, as_table) = (request.query.get("includeObject"), request.accept.contains("as=Table"));
    if as_table && request.method == "GET" && !matches!(included, "" | "None" | "Metadata" | "Object") {
        return Err(Status::bad_request(format!(
            "Unable to convert to Table as requested: includeObject: Invalid value: {included:?}: must be 'Metadata', \
             'Object', 'None', or empty"
        )));
    }
    let call = Call { request, api, resource, path };
    let mut answer = answer_call(&call, watching);
    if let Some(warning) = deprecation {
        let mut response = answer.unwrap_or_else(|status| failure(&status));
        warn(&mut response, &warning);
        answer = Ok(response);
    }
    answer
}

fn warn(response: &mut Response<Body>, warning: &str) {
    let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
    if let Ok(value) = http::HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
        response.headers_mut().append(http::header::WARNING, value);
    }
}

fn answer_call(call: &Call<'_>, watching: bool) -> Result<Response<Body>, Status> {
    let request = call.request;
    if call.resource.virtual_only {
        return reviews::answer(request, &call.resource, &call.path.namespace);
    }
    match (request.method, call.path.name.is_empty(), call.path.subresource.as_str()) {
        ("GET", _, "") if watching => call.watch(),
        ("GET", true, "") => call.list(),
        ("POST", true, "") => call.warned(|options| call.create(options)),
        ("DELETE", true, "") if !call.resource.is("", "namespaces") => call.delete_collection(),
        ("PUT", false, "") => call.warned(|options| call.update(Part::Main, options)),
        ("PATCH", false, "") => call.warned(|options| call.patch(Part::Main, options)),
        ("DELETE", false, "") => call.delete(),
        ("GET", false, "") => call.get(),
        ("GET", false, "status") if call.resource.status => call.get(),
        ("PUT", false, "status") if call.resource.status => call.warned(|options| call.update(Part::Status, options)),
        ("PATCH", false, "status") if call.resource.status => call.warned(|options| call.patch(Part::Status, options)),
        ("GET", false, "scale") if call.resource.scale => call.get_scale(),
        ("PUT", false, "scale") if call.resource.scale => call.update_scale(),
        ("PATCH", false, "scale") if call.resource.scale => call.warned(|options| call.patch(Part::Scale, options)),
        ("POST", false, "binding") if call.resource.is("", "pods") => call.bind(),
        ("POST", false, "eviction") if call.resource.is("", "pods") => call.evict(),
        ("POST", false, "token") if call.resource.is("", "serviceaccounts") => call.token(),
        ("PUT", false, "finalize") if call.resource.is("", "namespaces") => call.finalize(),
        (_, false, "finalize") if call.resource.is("", "namespaces") => Err(Status::method_not_allowed()),
        ("GET", false, "log") if call.resource.is("", "pods") => call.log(),
        (_, _, "" | "status" | "scale" | "eviction" | "binding" | "token") => Err(Status::method_not_allowed()),
        _ => Err(unserved::part(&call.path).unwrap_or_else(Status::no_such_path)),
    }
}

/// What the real server says to everybody who asks for a kind that is on its way out.
fn on_its_way_out(resource: &Resource) -> Option<String> {
    let warning = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
    resource.is("", "endpoints").then(|| warning.to_owned())
}

fn is_watch(path: &ResourcePath, query: &Query) -> bool {
    path.watched || (path.name.is_empty() && query.is_true("watch"))
}

/// What a request is about to do.
pub(crate) fn attempt(method: &str, path: &str, query: &Query) -> Attempt {
    let Target::Resource(path) = Target::parse(path) else {
        return Attempt { verb: method.to_lowercase(), path: path.to_owned(), ..Attempt::default() };
    };
    let watching = is_watch(&path, query);
    let mut name = path.name.as_str();
    // A selection of one name is a request for that name.
    if name.is_empty() && method != "POST" {
        name = query.get("fieldSelector").strip_prefix("metadata.name=").unwrap_or_default();
    }
    let verb = match (method, path.name.is_empty()) {
        ("GET", _) if watching => "watch",
        ("GET", true) => "list",
        ("GET", false) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "deletecollection",
        ("DELETE", false) => "delete",
        (other, _) => other,
    };
    Attempt {
        verb: verb.to_owned(),
        name: name.to_owned(),
        group: path.group,
        resource: path.plural,
        subresource: path.subresource,
        namespace: path.namespace,
        path: String::new(),
    }
}

impl Call<'_> {
    fn view(&self) -> View {
        View::accepted(self.request.accept, self.request.query.get("includeObject"))
    }

    fn shown(&self, code: u16, object: &Arc<Value>, options: &Options) -> Response<Body> {
        let mut response = reply(code, JSON, self.view().one(self.api, &self.resource, object));
        for warning in options.warnings.take() {
            warn(&mut response, &warning);
        }
        response
    }

    fn get(&self) -> Result<Response<Body>, Status> {
        let asked = self.request.query.get("resourceVersion");
        if !asked.is_empty() {
            self.api.check_version(crate::api::list::parse_version(asked)?)?;
        }
        let found = self.api.get(&self.resource, &self.path.namespace, &self.path.name)?;
        Ok(self.shown(200, &found, &Options::default()))
    }

    fn list(&self) -> Result<Response<Body>, Status> {
        let options = ListOptions::parse(self.api, &self.resource, &self.request.query)?;
        let page = self.api.page(&self.resource, &self.path.namespace, &options)?;
        Ok(reply(200, JSON, self.view().list(self.api, &self.resource, &page)))
    }

    fn watch(&self) -> Result<Response<Body>, Status> {
        let mut options = WatchOptions::parse(self.api, &self.resource, &self.request.query, self.view())?;
        options.only(&self.path.name);
        Ok(stream(self.api.watch(&self.resource, &self.path.namespace, options)?))
    }

    /// The answer to a write; what there is to warn of is said even if it is refused.
    fn warned(&self, write: impl FnOnce(&Options) -> Result<Response<Body>, Status>) -> Result<Response<Body>, Status> {
        let options = parameters::options(self.request)?;
        let answer = write(&options);
        let warnings = options.warnings.take();
        if warnings.is_empty() {
            return answer;
        }
        let mut response = answer.unwrap_or_else(|status| failure(&status));
        for warning in &warnings {
            warn(&mut response, warning);
        }
        Ok(response)
    }

    fn create(&self, options: &Options) -> Result<Response<Body>, Status> {
        let object = body::object(self.request, &self.resource, options)?;
        escalation::check(self.api, &self.request.user, &self.resource, &self.path.namespace, &object)?;
        let created = self.api.create(&self.resource, &self.path.namespace, object, options)?;
        Ok(self.shown(201, &created, options))
    }

    fn update(&self, part: Part, options: &Options) -> Result<Response<Body>, Status> {
        if part == Part::Status {
            body::check_keeps_status(self.request)?;
        }
        let object = body::object(self.request, &self.resource, options)?;
        let (namespace, name) = (&self.path.namespace, &self.path.name);
        if object["metadata"]["name"].as_str().unwrap_or_default().is_empty() {
            let why = "was undeterminable: name must be provided";
            return Err(Status::bad_request(format!("the name of the object ({name} based on URL) {why}")));
        }
        escalation::check(self.api, &self.request.user, &self.resource, namespace, &object)?;
        let target = self.resource.named(namespace, name);
        let updated = if part == Part::Status {
            self.api.update_status(target, object, options)?
        } else {
            self.api.update(target, object, options)?
        };
        Ok(self.shown(200, &updated, options))
    }

    fn patch(&self, part: Part, options: &Options) -> Result<Response<Body>, Status> {
        let patch = body::patch(self.request, &self.resource)?;
        let (namespace, name) = (&self.path.namespace, &self.path.name);
        let target = self.resource.named(namespace, name);
        let known = self.api.get(&self.resource, namespace, name).is_ok();
        if escalation::concerns(&self.resource) {
            let trial = Options { dry_run: true, warnings: Warnings::default(), ..options.clone() };
            let wanted = self.api.patch(target, part, &patch, &trial)?;
            escalation::check(self.api, &self.request.user, &self.resource, namespace, &wanted)?;
        }
        let patched = self.api.patch(target, part, &patch, options)?;
        let code = if known { 200 } else { 201 };
        if part == Part::Scale {
            return self.scale_shown(code, &patched);
        }
        Ok(self.shown(code, &patched, options))
    }

    fn delete(&self) -> Result<Response<Body>, Status> {
        let options = body::delete_options(self.request)?;
        let told = Options { warnings: Warnings::collecting(), ..Options::default() };
        if options.propagation.is_none() && kinds::default_propagation(&self.resource).is_some() {
            told.warnings.add(
                "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove \
                 them or set propagationPolicy=Orphan to suppress this warning",
            );
        }
        match self.api.delete(&self.resource, &self.path.namespace, &self.path.name, &options)? {
            Deletion::Pending(object) => Ok(self.shown(200, &object, &told)),
            Deletion::Gone(object) if returns_deleted(&self.resource) => {
                Ok(self.shown(200, &object, &Options::default()))
            }
            Deletion::Gone(object) => Ok(reply(200, JSON, success(&self.resource, &object).to_string().into_bytes())),
        }
    }

    fn delete_collection(&self) -> Result<Response<Body>, Status> {
        let options = ListOptions::parse(self.api, &self.resource, &self.request.query)?;
        let deletion = body::delete_options(self.request)?;
        let page = self.api.page(&self.resource, &self.path.namespace, &options)?;
        for found in &page.objects {
            match self.api.delete(&self.resource, found.namespace(), found.name(), &deletion) {
                Err(status) if status.code != 404 => return Err(status),
                _ => {}
            }
        }
        Ok(reply(200, JSON, self.view().list(self.api, &self.resource, &page)))
    }

    fn get_scale(&self) -> Result<Response<Body>, Status> {
        let found = self.api.get(&self.resource, &self.path.namespace, &self.path.name)?;
        self.scale_shown(200, &found)
    }

    fn scale_shown(&self, code: u16, object: &Value) -> Result<Response<Body>, Status> {
        let scale = self.api.scale(&self.resource, object)?;
        Ok(reply(code, JSON, self.view().scale(self.api, &self.resource, &scale)))
    }

    fn update_scale(&self) -> Result<Response<Body>, Status> {
        let options = parameters::options(self.request)?;
        let scale = body::json(self.request)?;
        let target = self.resource.named(&self.path.namespace, &self.path.name);
        let updated = self.api.update_scale(target, &scale, &options)?;
        self.scale_shown(200, &updated)
    }

    fn evict(&self) -> Result<Response<Body>, Status> {
        let eviction = body::json(self.request)?;
        if eviction["metadata"]["name"] != self.path.name {
            return Err(Status::bad_request("name in URL does not match name in Eviction object"));
        }
        let mut options = body::delete_options_of(&eviction["deleteOptions"]);
        options.dry_run |= !self.request.query.get("dryRun").is_empty();
        self.api.evict(&self.path.namespace, &self.path.name, &options)?;
        Ok(done())
    }

    fn bind(&self) -> Result<Response<Body>, Status> {
        let binding = body::json(self.request)?;
        let (namespace, name) = (&self.path.namespace, &self.path.name);
        if !object::name(&binding).is_empty() && object::name(&binding) != name {
            return Err(Status::bad_request("name in URL does not match name in Binding object"));
        }
        let node = object::text(&binding, "/target/name");
        if node.is_empty() {
            return Err(Status::new(500, "", "target.name: Required value"));
        }
        self.api.bind(namespace, name, object::uid(&binding), node)?;
        Ok(done())
    }

    fn token(&self) -> Result<Response<Body>, Status> {
        let asked = body::of_kind(self.request, "authentication.k8s.io/v1", "TokenRequest")?;
        let options = parameters::options(self.request)?;
        let issued = self.api.issue_token(&self.path.namespace, &self.path.name, asked, &options)?;
        Ok(reply(201, JSON, issued.to_string().into_bytes()))
    }

    fn finalize(&self) -> Result<Response<Body>, Status> {
        let options = parameters::options(self.request)?;
        let namespace = body::json(self.request)?;
        let finalized = self.api.finalize_namespace(&self.path.name, &namespace, &options)?;
        Ok(self.shown(200, &finalized, &options))
    }
}

fn done() -> Response<Body> {
    let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    reply(201, JSON, done.to_string().into_bytes())
}

/// Kinds whose deletion answers with the object although it is gone.
fn returns_deleted(resource: &Resource) -> bool {
    matches!(resource.kind.as_str(), "Pod" | "PersistentVolumeClaim" | "ResourceQuota" | "Service" | "ServiceAccount")
}

fn success(resource: &Resource, object: &Value) -> Value {
    let mut details = crate::api::details(object::name(object), &resource.group, &resource.plural);
    details["uid"] = object["metadata"]["uid"].clone();
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
