//! Defaults of what is kept for others: secrets, claims, leases.

use serde_json::{Value, json};

use crate::object::{self, default};

/// The finalizer that keeps a claim while a pod uses it.
pub(super) const CLAIM_IN_USE: &str = "kubernetes.io/pvc-protection";

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

/// Defaults of a claim.
pub(super) fn claim_defaults(claim: &mut Value) {
    default(object::entry(claim, "spec"), "volumeMode", "Filesystem");
}

/// A claim stays while a pod uses it.
pub(super) fn protect_claim(claim: &mut Value) {
    let finalizers = object::entry(claim, "metadata").entry("finalizers").or_insert_with(|| json!([]));
    if let Some(list) = finalizers.as_array_mut().filter(|list| !list.iter().any(|known| known == CLAIM_IN_USE)) {
        list.push(CLAIM_IN_USE.into());
    }
}

/// Elections that the cluster coordinates are off, as by default, and what asks for one is dropped.
pub(super) fn hold_no_election(lease: &mut Value) {
    let spec = object::entry(lease, "spec");
    spec.shift_remove("strategy");
    spec.shift_remove("preferredHolder");
}
