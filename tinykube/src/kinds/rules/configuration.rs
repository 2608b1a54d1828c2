//! What is kept for others: configuration, secrets, claims, quotas, leases.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{COUNT, Check, POSITIVE, Place, Rules, form};
use crate::api::Cause;
use crate::object::text;
use crate::quantity::Quantity;

/// Most bytes of all values together.
const MOST: usize = 1024 * 1024;

pub(super) const CONFIG_MAP: Rules = &[("", Check::Also(config_map))];

fn config_map(map: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    for part in ["data", "binaryData"] {
        let place = place.field(part);
        for key in map[part].as_object().into_iter().flatten().map(|(key, _)| key) {
            for why in form::config_key(key) {
                causes.push(Cause::invalid(place.key(key).to_string(), &key.clone().into(), &why));
            }
            if part == "data" && !map["binaryData"][key].is_null() {
                let why = "duplicate of key present in binaryData";
                causes.push(Cause::invalid(place.key(key).to_string(), &key.clone().into(), why));
            }
        }
    }
    if size(&map["data"], false) + size(&map["binaryData"], true) > MOST {
        causes.push(too_long("[]"));
    }
}

pub(super) const SECRET: Rules = &[("", Check::Also(secret))];

fn secret(secret: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let data = place.field("data");
    for key in secret["data"].as_object().into_iter().flatten().map(|(key, _)| key) {
        for why in form::config_key(key) {
            causes.push(Cause::invalid(data.key(key).to_string(), &key.clone().into(), &why));
        }
    }
    if size(&secret["data"], true) > MOST {
        causes.push(too_long("data"));
    }
    let missing = |key: &str| secret["data"][key].is_null();
    match text(secret, "/type") {
        "kubernetes.io/service-account-token" => {
            let account = "kubernetes.io/service-account.name";
            if secret["metadata"]["annotations"][account].is_null() {
                let (metadata, annotations) = (place.field("metadata"), "annotations");
                causes.push(Cause::required(metadata.field(annotations).key(account).to_string(), ""));
            }
        }
        "kubernetes.io/tls" => require(&data, &["tls.crt", "tls.key"], missing, causes),
        "kubernetes.io/ssh-auth" => require(&data, &["ssh-privatekey"], missing, causes),
        // Either is enough.
        "kubernetes.io/basic-auth" if missing("username") && missing("password") => {
            require(&data, &["username", "password"], missing, causes);
        }
        "kubernetes.io/dockercfg" => json_at(".dockercfg", secret, &data, causes),
        "kubernetes.io/dockerconfigjson" => json_at(".dockerconfigjson", secret, &data, causes),
        _ => {}
    }
}

fn require(data: &Place<'_>, keys: &[&str], missing: impl Fn(&str) -> bool, causes: &mut Vec<Cause>) {
    let lacking = keys.iter().filter(|key| missing(key));
    causes.extend(lacking.map(|key| Cause::required(data.key(key).to_string(), "")));
}

fn json_at(key: &str, secret: &Value, data: &Place<'_>, causes: &mut Vec<Cause>) {
    let place = data.key(key);
    let Some(encoded) = secret["data"][key].as_str() else {
        return causes.push(Cause::required(place.to_string(), ""));
    };
    let bytes = STANDARD.decode(encoded).unwrap_or_default();
    if let Err(error) = serde_json::from_slice::<Value>(&bytes) {
        let why = crate::schema::strict::go_error(&bytes, &error);
        causes.push(Cause::invalid(place.to_string(), &"<secret contents redacted>".into(), &why));
    }
}

fn size(map: &Value, encoded: bool) -> usize {
    let values = map.as_object().into_iter().flatten();
    let length = |value: &Value| value.as_str().map_or(0, str::len);
    values.map(|(_, value)| if encoded { length(value) / 4 * 3 } else { length(value) }).sum()
}

fn too_long(field: &str) -> Cause {
    Cause {
        reason: "FieldValueTooLong",
        message: format!("Too long: may not be more than {MOST} bytes"),
        field: field.to_owned(),
    }
}

pub(super) const CLAIM: Rules = &[("spec", Check::Inside(CLAIM_SPEC))];

const CLAIM_SPEC: Rules = &[
    ("accessModes", Check::Required("at least 1 access mode is required")),
    ("accessModes", Check::Also(access_modes)),
    ("resources", Check::Also(storage)),
    ("volumeMode", Check::OneOf(&["Block", "Filesystem"])),
    ("selector", Check::Selector),
];

fn access_modes(modes: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    const KNOWN: Check = Check::OneOf(&["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]);
    for mode in modes.as_array().into_iter().flatten() {
        KNOWN.apply(mode, place, causes);
    }
}

fn storage(resources: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let place = place.key("storage");
    let asked = &resources["requests"]["storage"];
    match Quantity::of(asked) {
        None => causes.push(Cause::required(place.to_string(), "")),
        Some(amount) if !amount.is_positive() => {
            causes.push(Cause::invalid(place.to_string(), asked, "must be greater than zero"));
        }
        Some(_) => {}
    }
}

pub(super) const QUOTA: Rules = &[("spec", Check::Inside(&[("", Check::Also(hard)), ("scopes", Check::Also(scopes))]))];

fn hard(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let place = place.field("hard");
    for (name, amount) in spec["hard"].as_object().into_iter().flatten() {
        if Quantity::of(amount).is_some_and(Quantity::is_negative) {
            let why = "must be greater than or equal to 0";
            causes.push(Cause::invalid(place.key(name).to_string(), amount, why));
        }
    }
}

fn scopes(scopes: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let known = [
        "Terminating",
        "NotTerminating",
        "BestEffort",
        "NotBestEffort",
        "PriorityClass",
        "CrossNamespacePodAffinity",
        "VolumeAttributesClass",
    ];
    let scope = |scope: &Value| scope.as_str().is_some_and(|scope| known.contains(&scope));
    if scopes.as_array().is_some_and(|scopes| !scopes.iter().all(scope)) {
        causes.push(Cause::invalid(place.to_string(), scopes, "unsupported scope"));
    }
}

pub(super) const LEASE: Rules =
    &[("spec", Check::Inside(&[("leaseDurationSeconds", POSITIVE), ("leaseTransitions", COUNT)]))];

/// What cannot be changed once an object says so, with the values it guards.
pub(super) fn frozen(part: &str, old: &Value, new: &Value) -> Option<Cause> {
    let why = "field is immutable when `immutable` is set";
    (old["immutable"] == true && !same(&old[part], &new[part])).then(|| Cause::forbidden(part, why))
}

/// Nothing and an empty map are the same.
fn same(one: &Value, other: &Value) -> bool {
    let nothing = |value: &Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    one == other || (nothing(one) && nothing(other))
}
