//! Which script a pod follows: its own, or that of the first workload above it that has one.

use std::sync::Arc;

use serde_json::Value;

use super::script::SCRIPT_ANNOTATION;
use crate::object;
use crate::workloads::{Key, View};

/// What the annotations of a pod and of the workloads above it say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Script(Option<String>),
    /// A workload above is gone and the pod will follow: the script stays as it was.
    OwnerGone,
}

/// The text of the script a pod is to follow.
pub(crate) fn find_script(view: &View, pod: &Arc<Value>) -> Found {
    let mut object = pod.clone();
    loop {
        let script = object::annotation(&object, SCRIPT_ANNOTATION).filter(|_| !is_copied(&object));
        if let Some(script) = script {
            return Found::Script(Some(script.to_owned()));
        }
        let Some(owner) = object::controller_of(&object) else { return Found::Script(None) };
        let owner = view.by_uid(object::text(owner, "/uid")).and_then(|key| view.get_key(key));
        match owner {
            Some(owner) => object = owner,
            None => return Found::OwnerGone,
        }
    }
}

/// Whether the annotation came down from above: the real Deployment controller copies annotations to its ReplicaSets, and
/// leaves them there when they are removed above. That of a pod is from its template, which somebody wrote.
fn is_copied(object: &Value) -> bool {
    if object["kind"] == "Pod" {
        return false;
    }
    let field = format!("f:{SCRIPT_ANNOTATION}");
    object::items(object, "/metadata/managedFields").iter().any(|entry| {
        entry["manager"] == "kube-controller-manager"
            && entry["fieldsV1"]["f:metadata"]["f:annotations"][&field].is_object()
    })
}

/// Keys of the pods that a workload, or one below it, owns.
pub(crate) fn pods_below(view: &View, workload: &Value) -> Vec<Key> {
    let mut pods = Vec::new();
    let mut owners = vec![object::uid(workload).to_owned()];
    while let Some(uid) = owners.pop() {
        for key in view.owned_by(&uid) {
            if view.resource(key).is_some_and(|resource| resource.kind == "Pod") {
                pods.push(key.clone());
            } else if let Some(child) = view.get_key(key) {
                owners.push(object::uid(&child).to_owned());
            }
        }
    }
    pods
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_script_that_a_real_controller_wrote_counts_on_a_pod_and_not_on_a_replica_set() {
        let annotations = json!({"f:metadata": {"f:annotations": {"f:tinykube.dev/script": {}}}});
        let written_on = |kind: &str| {
            json!({
                "kind": kind,
                "metadata": {
                    "name": "app", "annotations": {"tinykube.dev/script": "crash"},
                    "managedFields": [{"manager": "kube-controller-manager", "fieldsV1": annotations}],
                },
            })
        };
        let found = |kind: &str| find_script(&View::default(), &Arc::new(written_on(kind)));
        assert_eq!(found("Pod"), Found::Script(Some("crash".to_owned())), "from the template");
        assert_eq!(found("ReplicaSet"), Found::Script(None), "copied from the Deployment");
    }
}
