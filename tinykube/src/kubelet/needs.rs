//! Which pods' scripts depend on which objects, and since when those are not up.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::config_ref::{ConfigKind, ConfigRef};
use super::dependency::Dependency;
use super::world::World;
use crate::object;
use crate::storage::Change;
use crate::workloads::{Key, View, map_selects, pod_is_ready};

/// Kind, namespace and name.
type Target = (String, String, String);

#[derive(Debug)]
struct Need {
    down_since: Option<Timestamp>,
    pods: BTreeSet<Key>,
}

/// What scripts depend on.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    targets: BTreeMap<Target, Need>,
}

impl Needs {
    /// A pod's script depends on these.
    pub(crate) fn register(&mut self, pod: &Key, wanted: &BTreeSet<Dependency>, view: &View, now: Timestamp) {
        for dependency in wanted {
            let target = target(dependency, &pod.namespace);
            let down = !is_up(view, &target);
            let fresh = || Need { down_since: down.then_some(now), pods: BTreeSet::new() };
            self.targets.entry(target).or_insert_with(fresh).pods.insert(pod.clone());
        }
    }

    /// A pod's script does not depend on these any more.
    pub(crate) fn forget(&mut self, pod: &Key, unwanted: &BTreeSet<Dependency>) {
        for dependency in unwanted {
            let target = target(dependency, &pod.namespace);
            if let Some(need) = self.targets.get_mut(&target) {
                need.pods.remove(pod);
                if need.pods.is_empty() {
                    self.targets.remove(&target);
                }
            }
        }
    }

    /// Pods concerned by something that came up or went down with this change.
    pub(crate) fn changed(&mut self, change: &Change, view: &View, now: Timestamp) -> Vec<Key> {
        let mut concerned = Vec::new();
        for (target, need) in &mut self.targets {
            let (kind, namespace, name) = target;
            let itself = *kind == change.resource.kind && **name == **change.object.name();
            let behind = kind == "Service" && change.resource.kind == "Pod";
            let here = change.object.namespace().is_empty() || **namespace == **change.object.namespace();
            if !here || !(itself || behind) {
                continue;
            }
            let up = is_up(view, target);
            if up != need.down_since.is_none() {
                need.down_since = (!up).then_some(now);
                concerned.extend(need.pods.iter().cloned());
            }
        }
        concerned
    }
}

fn target(dependency: &Dependency, namespace: &str) -> Target {
    let namespace = dependency.namespace.clone().unwrap_or_else(|| namespace.to_owned());
    (dependency.kind.clone(), namespace, dependency.name.clone())
}

/// Whether an object exists and, for the kinds that can be, is ready.
fn is_up(view: &View, (kind, namespace, name): &Target) -> bool {
    let object = view.get_kind(kind, namespace, name).or_else(|| view.get_kind(kind, "", name));
    let Some(object) = object else { return false };
    let some = |field: &str| object["status"][field].as_i64().unwrap_or(0) > 0;
    match kind.as_str() {
        "Deployment" => some("availableReplicas"),
        "StatefulSet" | "ReplicaSet" => some("readyReplicas"),
        "DaemonSet" => some("numberReady"),
        "Pod" => pod_is_ready(&object) && !object::is_terminating(&object),
        "Service" => service_is_up(view, &object),
        _ => true,
    }
}

fn service_is_up(view: &View, service: &Value) -> bool {
    let Some(pods) = view.resource_of_kind("Pod") else { return false };
    let selected = |pod: &Value| map_selects(&service["spec"]["selector"], &pod["metadata"]["labels"]);
    let mut pods = view.in_namespace(pods, object::namespace(service));
    pods.any(|pod| pod_is_ready(&pod) && !object::is_terminating(&pod) && selected(&pod))
}

/// The cluster around a pod of one namespace.
pub(crate) struct Surroundings<'a> {
    pub(crate) view: &'a View,
    pub(crate) needs: &'a Needs,
    pub(crate) namespace: &'a str,
}

impl World for Surroundings<'_> {
    fn config_problem(&self, reference: &ConfigRef) -> Option<String> {
        let (kind, word) = match reference.kind {
            ConfigKind::Secret => ("Secret", "secret"),
            ConfigKind::ConfigMap => ("ConfigMap", "configmap"),
        };
        let Some(found) = self.view.get_kind(kind, self.namespace, &reference.name) else {
            return Some(format!("{word} \"{}\" not found", reference.name));
        };
        let key = reference.key.as_ref()?;
        let has = ["data", "stringData", "binaryData"].iter().any(|part| !found[*part][key].is_null());
        (!has).then(|| format!("couldn't find key {key} in {kind} {}/{}", self.namespace, reference.name))
    }

    fn down_since(&self, dependency: &Dependency) -> Option<Timestamp> {
        self.needs.targets.get(&target(dependency, self.namespace))?.down_since
    }
}
