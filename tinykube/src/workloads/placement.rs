//! Which nodes the spec of a pod selects.

use serde_json::Value;

use crate::object;

/// Whether a node is one that the spec of a pod selects, by labels or, as for pods of DaemonSets, by name.
pub(crate) fn is_selected(spec: &Value, node: &Value) -> bool {
    let wanted = spec["nodeSelector"].as_object();
    let labelled =
        wanted.is_none_or(|wanted| wanted.iter().all(|(key, value)| node["metadata"]["labels"][key] == *value));
    let named = pinned_to(spec);
    labelled && (named.is_empty() || named.contains(&object::name(node)))
}

/// The names of the nodes that the spec of a pod requires; none if it does not say.
pub(crate) fn pinned_to(spec: &Value) -> Vec<&str> {
    let terms = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let fields = object::items(spec, terms).iter().flat_map(|term| object::items(term, "/matchFields"));
    let named = fields.filter(|field| field["key"] == "metadata.name" && field["operator"] == "In");
    named.flat_map(|field| object::items(field, "/values")).filter_map(Value::as_str).collect()
}
