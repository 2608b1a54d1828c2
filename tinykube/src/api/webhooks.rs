//! Admission webhooks: which of them have a say in a request, and what comes of one that nobody answers.
//!
//! Nothing is called. A webhook whose service has no ready endpoint fails as on a real server, which refuses the request or,
//! if its policy is to ignore that, goes on; every other one lets the request pass. The words are those of a server that
//! looks for the endpoints itself (`--enable-aggregator-routing`); one that dials the address of the service is told that the
//! connection was refused.

use serde_json::{Value, json};

use super::selector::Selector;
use super::{Api, Status};
use crate::object::{items, label, text};
use crate::resource::{ObjectRef, Resource};

const GROUP: &str = "admissionregistration.k8s.io";

/// What is sent to a part of an object: something else, without labels.
pub(super) const WITHOUT_LABELS: &[&Value] = &[&Value::Null];

/// Both kinds of configurations, in the order in which they have their say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Those that may change an object, before it is looked at.
    Mutating,
    /// Those that may refuse it, when it is found to be valid.
    Validating,
}

impl Phase {
    fn plural(self) -> &'static str {
        match self {
            Phase::Mutating => "mutatingwebhookconfigurations",
            Phase::Validating => "validatingwebhookconfigurations",
        }
    }
}

/// What a request does, as rules name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
        }
    }
}

/// A request in which webhooks may have a say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) target: ObjectRef<'a>,
    /// The part of the object that has a path of its own, or nothing.
    pub(crate) subresource: &'static str,
    pub(crate) operation: Operation,
    /// What is sent and what is there, as far as there is any.
    pub(crate) objects: &'a [&'a Value],
}

impl Api {
    /// Asks the webhooks of both kinds, where nothing happens in between.
    ///
    /// # Errors
    /// As [`Api::ask_webhooks`].
    pub(super) fn ask_all_webhooks(&self, asked: &Asked<'_>) -> Result<(), Status> {
        self.ask_webhooks(Phase::Mutating, asked)?;
        self.ask_webhooks(Phase::Validating, asked)
    }

    /// Asks the webhooks of one kind that have a say in a request.
    ///
    /// # Errors
    /// 500 when one of them cannot be called and its policy is not to ignore that.
    pub(super) fn ask_webhooks(&self, phase: Phase, asked: &Asked<'_>) -> Result<(), Status> {
        // They have no say in themselves: nobody could mend them otherwise.
        if asked.target.resource.group == GROUP {
            return Ok(());
        }
        let Some(configurations) = self.resource(GROUP, phase.plural()) else { return Ok(()) };
        for configuration in self.list(&configurations, "") {
            for webhook in items(&configuration, "/webhooks") {
                if webhook["failurePolicy"] == "Ignore" || !self.has_a_say(webhook, asked)? {
                    continue;
                }
                if let Some(why) = self.unreachable(&webhook["clientConfig"]["service"]) {
                    return Err(failed(webhook, &why));
                }
            }
        }
        Ok(())
    }

    fn has_a_say(&self, webhook: &Value, asked: &Asked<'_>) -> Result<bool, Status> {
        Ok(self.is_ruled(webhook, asked)
            && is_object_selected(webhook, asked)
            && self.is_namespace_selected(webhook, asked)?)
    }

    /// Whether a rule is about the resource, or about another version of it unless the webhook wants the exact one.
    fn is_ruled(&self, webhook: &Value, asked: &Asked<'_>) -> bool {
        let own = asked.target.resource;
        let ruled = |resource: &Resource| items(webhook, "/rules").iter().any(|rule| holds(rule, resource, asked));
        let same = |other: &Resource| other != own && !other.virtual_only && other.storage == own.storage;
        ruled(own)
            || (webhook["matchPolicy"] != "Exact"
                && self.registry().all().iter().filter(|other| same(other)).any(ruled))
    }

    /// Objects outside of namespaces, other than the namespaces themselves, are always selected.
    fn is_namespace_selected(&self, webhook: &Value, asked: &Asked<'_>) -> Result<bool, Status> {
        let ObjectRef { resource, namespace, name } = asked.target;
        let is_namespace = resource.is("", "namespaces");
        let selector = Selector::of_object(&webhook["namespaceSelector"]);
        if selector.is_empty() || (!resource.namespaced && !is_namespace) {
            return Ok(true);
        }
        // What is sent says which labels a namespace will have.
        let sent = asked.objects.first().filter(|_| {
            is_namespace
                && asked.subresource.is_empty()
                && matches!(asked.operation, Operation::Create | Operation::Update)
        });
        if let Some(sent) = sent {
            return Ok(selector.matches(sent));
        }
        let namespaces = self.resource("", "namespaces").ok_or_else(Status::no_such_path)?;
        Ok(selector.matches(&*self.get(&namespaces, "", if is_namespace { name } else { namespace })?))
    }

    /// Why nobody can be reached behind a service; nothing if somebody is, or if there is no service but an address.
    fn unreachable(&self, service: &Value) -> Option<String> {
        let (namespace, name) = (text(service, "/namespace"), text(service, "/name"));
        let services = self.resource("", "services").filter(|_| service.is_object())?;
        let Ok(found) = self.get(&services, namespace, name) else {
            return Some(format!("service {name:?} not found"));
        };
        if found["spec"]["type"] == "ExternalName" {
            return Some("unsupported service type \"ExternalName\"".to_owned());
        }
        let number = port(service);
        let Some(port) = items(&found, "/spec/ports").iter().find(|port| port["port"] == number) else {
            return Some(format!("no service port {number} found for service {name:?}"));
        };
        let slices = self.resource("discovery.k8s.io", "endpointslices")?;
        let leads_on = |slice: &Value| {
            label(slice, "kubernetes.io/service-name") == Some(name)
                && items(slice, "/ports")
                    .iter()
                    .any(|known| text(known, "/name") == text(port, "/name") && known["port"].is_number())
                && items(slice, "/endpoints").iter().any(|endpoint| endpoint["conditions"]["ready"] != false)
        };
        let reached = self.list(&slices, namespace).iter().any(|slice| leads_on(slice));
        (!reached).then(|| format!("no endpoints available for service {name:?}"))
    }
}

/// Whether a rule is about a request, were it for this resource.
fn holds(rule: &Value, resource: &Resource, asked: &Asked<'_>) -> bool {
    let names = |list: &str, wanted: &str| items(rule, list).iter().any(|name| name == "*" || name == wanted);
    let is_scope = match rule["scope"].as_str() {
        Some("Namespaced") => resource.namespaced,
        Some("Cluster") => !resource.namespaced,
        _ => true,
    };
    let is_resource = |name: &Value| {
        let name = name.as_str().unwrap_or_default();
        let (plural, part) = name.split_once('/').unwrap_or((name, ""));
        (plural == "*" || plural == resource.plural) && (part == "*" || part == asked.subresource)
    };
    is_scope
        && names("/operations", asked.operation.name())
        && names("/apiGroups", &resource.group)
        && names("/apiVersions", &resource.version)
        && items(rule, "/resources").iter().any(is_resource)
}

/// What is sent or what is there has the labels.
fn is_object_selected(webhook: &Value, asked: &Asked<'_>) -> bool {
    let selector = Selector::of_object(&webhook["objectSelector"]);
    selector.is_empty() || asked.objects.iter().any(|object| selector.matches(object))
}

fn port(service: &Value) -> i64 {
    service["port"].as_i64().unwrap_or(443)
}

/// 500, as the real server words it.
fn failed(webhook: &Value, why: &str) -> Status {
    let service = &webhook["clientConfig"]["service"];
    let url = format!(
        "https://{}.{}.svc:{}/{}?timeout={}s",
        text(service, "/name"),
        text(service, "/namespace"),
        port(service),
        text(service, "/path").trim_matches('/'),
        webhook["timeoutSeconds"].as_i64().unwrap_or(10),
    );
    let name = text(webhook, "/name");
    let cause = format!("failed calling webhook {name:?}: failed to call webhook: Post {url:?}: {why}");
    Status::internal(format!("Internal error occurred: {cause}")).with_details(json!({"causes": [{"message": cause}]}))
}
