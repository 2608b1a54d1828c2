//! Secrets of service accounts: each gets a token, and goes with its account.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Turn;
use super::context::Context;
use super::view::Key;
use crate::api::lasting_token::TYPE;
use crate::kinds::namespace::ROOT_CA;
use crate::object::{self, text};

const ACCOUNT: &str = "kubernetes.io/service-account.name";
const UID: &str = "kubernetes.io/service-account.uid";

/// One turn for one secret.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(secret) = context.view.get_key(key).filter(|secret| is_of_account(secret)) else { return Ok(None) };
    if object::is_terminating(&secret) {
        return Ok(None);
    }
    let (name, uid) = (object::annotation(&secret, ACCOUNT).unwrap_or_default(), object::annotation(&secret, UID));
    let account = context.view.get(&context.kinds.accounts, &key.namespace, name);
    // An account that was made anew is another one.
    let Some(account) = account.filter(|account| uid.is_none_or(|uid| uid.is_empty() || uid == object::uid(account)))
    else {
        context.delete(key, &secret)?;
        return Ok(None);
    };
    let root = context.view.get_kind("ConfigMap", &key.namespace, ROOT_CA);
    let root = root.as_ref().map_or("", |root| root["data"][ROOT_CA_KEY].as_str().unwrap_or_default());
    let mut filled = Value::clone(&secret);
    let data = object::entry(&mut filled, "data");
    data.insert(ROOT_CA_KEY.into(), STANDARD.encode(root).into());
    data.insert("namespace".into(), STANDARD.encode(&*key.namespace).into());
    if text(&secret, "/data/token").is_empty() {
        data.insert("token".into(), STANDARD.encode(context.api.lasting_token(&account, &key.name)).into());
    }
    filled["metadata"]["annotations"][UID] = json!(object::uid(&account));
    if filled != *secret {
        context.change(&context.kinds.secrets, &secret, |secret| *secret = filled)?;
    }
    Ok(None)
}

/// The certificate by its key, in the `ConfigMap` as in secrets.
const ROOT_CA_KEY: &str = "ca.crt";

/// Whether a secret is to hold a token.
pub(super) fn is_of_account(secret: &Value) -> bool {
    secret["type"] == TYPE
}

/// Whether a secret is to hold a token of this account.
pub(super) fn is_of(secret: &Value, account: &str) -> bool {
    is_of_account(secret) && object::annotation(secret, ACCOUNT) == Some(account)
}
