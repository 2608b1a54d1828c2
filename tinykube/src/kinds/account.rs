//! Service accounts: every pod runs as one and gets its token mounted.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api::{Api, Status};
use crate::object::{self, default, items, text};
use crate::resource::Resource;

/// Where containers find the token.
const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What a name that is generated is made of.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Names the account of a new pod and mounts its token, unless pod or account do without.
///
/// # Errors
/// 403 when there is no such account.
pub(super) fn admit(api: &Api, pods: &Resource, namespace: &str, pod: &mut Value) -> Result<(), Status> {
    let Some(accounts) = api.resource("", "serviceaccounts") else { return Ok(()) };
    let spec = object::entry(pod, "spec");
    default(spec, "serviceAccountName", "default");
    let name = spec.get("serviceAccountName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(account) = api.store().get(&accounts, namespace, &name) else {
        let why = format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found");
        return Err(Status::forbidden(pods, object::name(pod), &why));
    };
    let account = account.value();
    let spec = object::entry(pod, "spec");
    spec.insert("serviceAccount".into(), name.into());
    if !items(&account, "/imagePullSecrets").is_empty() {
        default(spec, "imagePullSecrets", account["imagePullSecrets"].clone());
    }
    let asked = spec.get("automountServiceAccountToken").and_then(Value::as_bool);
    if asked.or(account["automountServiceAccountToken"].as_bool()).unwrap_or(true) {
        mount_token(pod);
    }
    Ok(())
}

fn mount_token(pod: &mut Value) {
    let volume = format!("kube-api-access-{}", suffix(object::uid(pod)));
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if items(container, "/volumeMounts").iter().any(|mount| text(mount, "/mountPath") == MOUNT) {
                continue;
            }
            mounted = true;
            push(container, "volumeMounts", json!({"name": volume, "readOnly": true, "mountPath": MOUNT}));
        }
    }
    if !mounted {
        return;
    }
    let namespace = json!({"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}});
    let sources = json!([
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": super::namespace::ROOT_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]);
    let volume = json!({"name": volume, "projected": {"sources": sources, "defaultMode": 420}});
    push(&mut pod["spec"], "volumes", volume);
}

fn push(object: &mut Value, list: &str, item: Value) {
    let list = object::map(object).entry(list.to_owned()).or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}

/// The end of a generated name, always the same for the same thing: what is drawn here would change the names of pods.
pub(crate) fn suffix(uid: &str) -> String {
    let digest = Sha256::digest(uid.as_bytes());
    let letters = digest.iter().take(5).filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()));
    letters.map(|letter| char::from(*letter)).collect()
}
