//! Addresses and keys that stand in Secrets: read when they are needed, one by name, kept nowhere.
//!
//! Errors name the Secret and never what is in it.

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use crate::notify::alert::{pagerduty, post::Target, sender::Answer};
use crate::{
    api::{Receiver, ReceiverType, SecretKey},
    cluster::decode::Lenient,
};

/// Where a receiver is, with what stands in Secrets of its namespace.
///
/// # Errors
/// What there is to say instead of sending: what is missing and what to do, or that the API server did not answer.
pub(super) async fn resolve(client: &Client, namespace: &str, receiver: &Receiver) -> Result<Target, Answer> {
    let url = match (&receiver.url, &receiver.url_from) {
        (Some(url), _) => url.clone(),
        (None, Some(from)) => read(client, namespace, &from.secret_ref).await?,
        (None, None) if receiver.type_ == ReceiverType::PagerDuty => pagerduty::ADDRESS.to_owned(),
        (None, None) => return Err(Answer::Refused("it has no address: write url or urlFrom".to_owned())),
    };
    let from = match receiver.type_ {
        ReceiverType::PagerDuty => receiver.routing_key_from.as_ref(),
        ReceiverType::Webhook => receiver.hmac_from.as_ref(),
        ReceiverType::Alertmanager | ReceiverType::Slack | ReceiverType::CloudEvents => None,
    };
    let key = match from {
        Some(from) => Some(read(client, namespace, &from.secret_ref).await?),
        None => None,
    };
    Ok(Target { url, key })
}

async fn read(client: &Client, namespace: &str, wanted: &SecretKey) -> Result<String, Answer> {
    let SecretKey { name, key } = wanted;
    let secrets: Api<Lenient<Secret>> = Api::namespaced(client.clone(), namespace);
    let Lenient(secret) = secrets.get(name).await.map_err(|error| match &error {
        kube::Error::Api(status) if status.code == 404 => {
            Answer::Unprepared(format!("Secret {name} does not exist in namespace {namespace}: create it"))
        }
        kube::Error::Api(status) if status.code == 403 => Answer::Unprepared(format!(
            "kubeheal may not read Secret {name} in namespace {namespace}: see deploy/components/alert-secrets"
        )),
        _ => Answer::later(format!("Secret {name} in namespace {namespace} could not be read")),
    })?;
    let missing = || {
        let what = format!("Secret {name} in namespace {namespace} has no key {key}");
        Answer::Unprepared(format!("{what}: add it, or correct the reference"))
    };
    let value = secret.data.unwrap_or_default().remove(key).ok_or_else(missing)?;
    let text = String::from_utf8(value.0).map_err(|_| {
        let what = format!("key {key} of Secret {name} in namespace {namespace} is no text");
        Answer::Unprepared(format!("{what}: put text there"))
    })?;
    // An editor ends a file with a line end, and that belongs to no address and no key.
    let text = text.trim();
    if text.is_empty() { Err(missing()) } else { Ok(text.to_owned()) }
}
