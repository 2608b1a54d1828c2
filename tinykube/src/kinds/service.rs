//! Defaults of Services and Secrets.

use serde_json::{Value, json};

use crate::api::Api;
use crate::object::{self, default};

/// Defaults of a Service, without its address.
pub(super) fn defaults(service: &mut Value) {
    let spec = object::entry(service, "spec");
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let port = object::map(port);
        default(port, "protocol", "TCP");
        let number = port.get("port").cloned().unwrap_or_default();
        default(port, "targetPort", number);
    }
    if spec["type"] == "ExternalName" {
        return;
    }
    default(spec, "ipFamilies", json!(["IPv4"]));
    default(spec, "ipFamilyPolicy", "SingleStack");
    default(spec, "internalTrafficPolicy", "Cluster");
}

/// Gives a Service its address: the one it had, or one drawn from the service network.
pub(super) fn allocate(api: &Api, old: &Value, service: &mut Value) {
    if service["spec"]["type"] == "ExternalName" {
        return;
    }
    let spec = object::entry(service, "spec");
    if spec.get("clusterIP").is_none_or(Value::is_null) {
        let drawn = || format!("10.96.{}.{}", api.random().below(256), 1 + api.random().below(254)).into();
        spec.insert("clusterIP".into(), old["spec"].get("clusterIP").cloned().unwrap_or_else(drawn));
    }
    let address = spec["clusterIP"].clone();
    default(spec, "clusterIPs", json!([address]));
}

/// Defaults of a Secret; `stringData` becomes data.
pub(super) fn secret_defaults(secret: &mut Value) {
    let members = object::map(secret);
    default(members, "type", "Opaque");
    let Some(Value::Object(texts)) = members.shift_remove("stringData") else {
        return;
    };
    let data = object::entry(secret, "data");
    for (key, text) in texts {
        let encoded = crate::api::list::base64_standard(text.as_str().unwrap_or_default().as_bytes());
        data.insert(key, encoded.into());
    }
}
