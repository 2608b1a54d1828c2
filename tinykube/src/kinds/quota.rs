//! Resource quotas: how many objects a namespace holds, and what its pods ask for together.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::api::{Api, Options, Part, Status, Update};
use crate::managed;
use crate::object::{self, items, text};
use crate::quantity::Quantity;
use crate::resource::Resource;
use crate::stored::Stored;

/// Plurals that are counted without `count/`.
const BY_NAME: [&str; 6] = ["configmaps", "persistentvolumeclaims", "pods", "resourcequotas", "secrets", "services"];

/// What a name in `spec.hard` measures.
enum Measure {
    /// How many objects there are.
    Objects(Resource),
    /// What pods have in this part of their resources under this name.
    Pods(&'static str, String),
}

/// A quota whose status says what is used of it, as it was and as it is with one object more.
pub(crate) struct Counted {
    before: Arc<Value>,
    after: Value,
}

/// Refuses a new object that is more than a quota allows; the quotas that count it.
///
/// # Errors
/// 403, as the real admission plugin words it.
pub(crate) fn admit(api: &Api, resource: &Resource, namespace: &str, object: &Value) -> Result<Vec<Counted>, Status> {
    let Some(quotas) = api.resource("", "resourcequotas").filter(|_| resource.namespaced) else {
        return Ok(Vec::new());
    };
    let mut counted = Vec::new();
    for quota in api.list(&quotas, namespace) {
        let refuse = |why: String| Err(Status::forbidden(resource, object::name(object), &why));
        let name = object::name(&quota);
        let hard = quota["spec"]["hard"].as_object();
        let asked: BTreeMap<&str, Measure> = hard
            .into_iter()
            .flatten()
            .filter_map(|(name, _)| Some((name.as_str(), measure(api, name)?)))
            .filter(|(_, measure)| measure.is_of(resource))
            .collect();
        let lacking: Vec<String> =
            asked.iter().filter_map(|(name, measure)| measure.unspecified(name, object)).collect();
        if !lacking.is_empty() {
            return refuse(format!("failed quota: {name}: must specify {}", lacking.join("; ")));
        }
        let (mut requested, mut used, mut limited) = (Vec::new(), Vec::new(), Vec::new());
        let mut after = Value::clone(&quota);
        for (what, measure) in &asked {
            let (before, more) = (measure.used(api, namespace, what), measure.of(object));
            let limit = Quantity::of(&quota["spec"]["hard"][*what]).unwrap_or(Quantity::ZERO);
            if before + more > limit && more.is_positive() {
                requested.push(format!("{what}={more}"));
                used.push(format!("{what}={before}"));
                limited.push(format!("{what}={limit}"));
            }
            // What the controller has not counted yet it will count.
            if let Some(known) = after.pointer_mut("/status/used").and_then(|used| used.get_mut(*what)) {
                *known = (before + more).to_string().into();
            }
        }
        if !requested.is_empty() {
            let [requested, used, limited] = [requested, used, limited].map(|amounts| amounts.join(","));
            return refuse(format!("exceeded quota: {name}, requested: {requested}, used: {used}, limited: {limited}"));
        }
        if after != *quota {
            counted.push(Counted { before: quota.clone(), after });
        }
    }
    Ok(counted)
}

/// Writes what is used when an object has been let in, as admission does before the controller counts again; the caller holds
/// the write lock.
pub(crate) fn count(api: &Api, counted: Vec<Counted>) {
    let Some(quotas) = api.resource("", "resourcequotas") else { return };
    let options = Options::by("kube-apiserver");
    let update = Update { resource: &quotas, part: Part::Status, options: &options };
    for Counted { before, mut after } in counted {
        managed::updated(api, update, &before, &mut after);
        api.put(&quotas, object::namespace(&before), object::name(&before), after);
    }
}

/// The status of a quota: what it allows, and what of it is used.
pub(crate) fn status(api: &Api, quota: &Value) -> Value {
    let hard = quota["spec"]["hard"].as_object().cloned().unwrap_or_default();
    let used: Map<String, Value> = hard
        .keys()
        .filter_map(|name| {
            let used = measure(api, name)?.used(api, object::namespace(quota), name);
            Some((name.clone(), used.to_string().into()))
        })
        .collect();
    serde_json::json!({"hard": hard, "used": used})
}

/// What a name in `spec.hard` measures; none for those that are not measured, such as `requests.storage`.
fn measure(api: &Api, name: &str) -> Option<Measure> {
    if BY_NAME.contains(&name) {
        return api.resource("", name).map(Measure::Objects);
    }
    if let Some(counted) = name.strip_prefix("count/") {
        let (plural, group) = counted.split_once('.').unwrap_or((counted, ""));
        return api.resource(group, plural).filter(|resource| resource.namespaced).map(Measure::Objects);
    }
    let (part, name) = match name.split_once('.') {
        Some(("limits", name)) => ("limits", name),
        Some(("requests", name)) => ("requests", name),
        _ => ("requests", name),
    };
    matches!(name, "cpu" | "memory" | "ephemeral-storage").then(|| Measure::Pods(part, name.to_owned()))
}

impl Measure {
    /// Whether objects of this kind count.
    fn is_of(&self, resource: &Resource) -> bool {
        match self {
            Measure::Objects(counted) => counted == resource,
            Measure::Pods(..) => resource.is("", "pods"),
        }
    }

    /// The containers of a pod that do not say how much they need, in words.
    fn unspecified(&self, name: &str, pod: &Value) -> Option<String> {
        let Measure::Pods(part, resource) = self else { return None };
        let silent = containers(pod).filter(|container| container["resources"][*part][resource].is_null());
        let silent: Vec<&str> = silent.map(|container| text(container, "/name")).collect();
        (!silent.is_empty()).then(|| format!("{name} for: {}", silent.join(",")))
    }

    /// How much one object is.
    fn of(&self, object: &Value) -> Quantity {
        let Measure::Pods(part, resource) = self else { return Quantity::count(1) };
        let amounts = containers(object).filter_map(|container| Quantity::of(&container["resources"][*part][resource]));
        amounts.fold(Quantity::ZERO, |sum, amount| sum + amount)
    }

    /// How much all objects of a namespace are. Pods that are over count only among `count/pods`.
    fn used(&self, api: &Api, namespace: &str, name: &str) -> Quantity {
        let over = |found: &Arc<Value>| matches!(text(found, "/status/phase"), "Failed" | "Succeeded");
        let list = |resource: &Resource| api.store().list(resource, namespace);
        match self {
            Measure::Objects(resource) if name == "pods" => {
                Quantity::count(list(resource).iter().filter(|found| !over(&found.value())).count())
            }
            Measure::Objects(resource) => Quantity::count(list(resource).len()),
            Measure::Pods(..) => {
                let pods = api.resource("", "pods").map(|pods| list(&pods)).unwrap_or_default();
                let pods = pods.iter().map(Stored::value).filter(|pod| !over(pod));
                pods.fold(Quantity::ZERO, |sum, pod| sum + self.of(&pod))
            }
        }
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    items(pod, "/spec/containers").iter()
}
