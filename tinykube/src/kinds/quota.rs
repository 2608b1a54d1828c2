//! Resource quotas, as far as they count objects: `pods`, the few plurals Kubernetes counts by name, `count/RESOURCE`.

use serde_json::{Value, json};

use crate::api::{Api, Status};
use crate::object;
use crate::resource::Resource;
use crate::workloads::quantity;

/// Plurals that are counted without `count/`.
const BY_NAME: [&str; 6] = ["configmaps", "persistentvolumeclaims", "pods", "resourcequotas", "secrets", "services"];

/// Refuses a new object that is one too many.
///
/// # Errors
/// 403, as the real admission plugin words it.
pub(crate) fn admit(api: &Api, resource: &Resource, namespace: &str, object: &Value) -> Result<(), Status> {
    let Some(quotas) = api.resource("", "resourcequotas").filter(|_| resource.namespaced) else {
        return Ok(());
    };
    for quota in api.list(&quotas, namespace) {
        for (name, hard) in quota["spec"]["hard"].as_object().into_iter().flatten() {
            let Some(counted) = counted(api, name).filter(|counted| counted == resource) else { continue };
            let used = count(api, &counted, namespace, name);
            let next = u32::try_from(used + 1).map_or(f64::MAX, f64::from);
            if next > quantity(hard) {
                let limit = hard.as_str().map_or_else(|| hard.to_string(), str::to_owned);
                let quota = object::name(&quota);
                let why = format!(
                    "exceeded quota: {quota}, requested: {name}=1, used: {name}={used}, limited: {name}={limit}"
                );
                return Err(Status::forbidden(resource, object::name(object), &why));
            }
        }
    }
    Ok(())
}

/// The status of a quota: what it allows, and what of it is used.
pub(crate) fn status(api: &Api, quota: &Value) -> Value {
    let mut status = json!({"hard": quota["spec"]["hard"], "used": {}});
    for name in quota["spec"]["hard"].as_object().into_iter().flatten().map(|(name, _)| name) {
        if let Some(counted) = counted(api, name) {
            let used = count(api, &counted, object::namespace(quota), name);
            status["used"][name.as_str()] = used.to_string().into();
        }
    }
    status
}

/// The resource a name in `spec.hard` counts; none for those that are not counted, such as `requests.cpu`.
fn counted(api: &Api, name: &str) -> Option<Resource> {
    if BY_NAME.contains(&name) {
        return api.resource("", name);
    }
    let (plural, group) = name.strip_prefix("count/").map(|name| name.split_once('.').unwrap_or((name, "")))?;
    api.resource(group, plural).filter(|resource| resource.namespaced)
}

/// How many there are; by name, pods that are over do not count.
fn count(api: &Api, resource: &Resource, namespace: &str, name: &str) -> usize {
    let over = |found: &Value| matches!(object::text(found, "/status/phase"), "Failed" | "Succeeded");
    let found = api.store().list(resource, namespace);
    found.iter().filter(|found| name != "pods" || !over(&found.value())).count()
}
