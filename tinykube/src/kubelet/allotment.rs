//! What a container is given and as whom it runs, as its status reports it once it has been started.

use k8s_openapi::api::core::v1 as core;
use serde_json::{Map, Value, json};

use crate::quantity::Quantity;

/// The resources in force for a container and the user of its first process.
#[derive(Clone, Debug)]
pub(crate) struct Allotment {
    resources: Value,
    user: Value,
}

impl Allotment {
    /// As the specs ask for; images here run as root.
    pub(crate) fn of(container: &core::Container, pod: &core::PodSpec) -> Allotment {
        let resources = container.resources.as_ref().and_then(|asked| serde_json::to_value(asked).ok());
        let own = container.security_context.as_ref();
        let common = pod.security_context.as_ref();
        let user = own.and_then(|own| own.run_as_user).or(common.and_then(|common| common.run_as_user));
        let group = own.and_then(|own| own.run_as_group).or(common.and_then(|common| common.run_as_group));
        let group = group.unwrap_or(0);
        let mut groups = vec![group];
        let supplemental = common.and_then(|common| common.supplemental_groups.as_ref()).into_iter().flatten();
        groups.extend(supplemental.chain(common.and_then(|common| common.fs_group.as_ref())));
        Allotment {
            resources: resources.unwrap_or_else(|| json!({})),
            user: json!({"linux": {"uid": user.unwrap_or(0), "gid": group, "supplementalGroups": groups}}),
        }
    }

    /// Adds `allocatedResources`, `resources` and `user` to a container's status.
    pub(crate) fn show(&self, status: &mut Map<String, Value>) {
        if let Some(requests) = self.resources.get("requests") {
            status.insert("allocatedResources".into(), requests.clone());
        }
        status.insert("resources".into(), self.resources.clone());
        status.insert("user".into(), self.user.clone());
    }
}

/// The resources of a pod: the sums over its containers that last.
pub(crate) fn total<'a>(allotments: impl Iterator<Item = &'a Allotment>) -> Value {
    let mut total = json!({});
    for allotment in allotments {
        for part in ["limits", "requests"] {
            for (name, amount) in allotment.resources[part].as_object().into_iter().flatten() {
                let sum = match total[part].get(name) {
                    None => amount.clone(),
                    Some(before) => sum(before, amount),
                };
                total[part][name] = sum;
            }
        }
    }
    total
}

fn sum(one: &Value, other: &Value) -> Value {
    let [one, other] = [one, other].map(|amount| Quantity::of(amount).unwrap_or(Quantity::ZERO));
    (one + other).to_string().into()
}
