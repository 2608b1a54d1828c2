//! The key that kept definitions are signed with: in a Secret of the controller's own namespace, made where there is none.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    base::{error_text::error_text, written_by_us},
    cluster::{
        decode::Lenient,
        kept::Signing,
        signature::{KEY_BYTES, SigningKey},
    },
};

/// Name of the Secret.
pub const SIGNING_KEY: &str = "kubeheal-signing-key";
/// The entry in it.
const ENTRY: &str = "key";
/// Pause between two tries.
const RETRY: Duration = Duration::from_secs(30);

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NoKey {
    why: String,
    /// Only a person can change it.
    pub(super) needs_person: bool,
}

#[derive(Debug)]
struct Asked {
    at: Instant,
    answer: Result<SigningKey, NoKey>,
}

/// Reads the key, and makes it where there is none. Clones share what was read.
#[derive(Clone)]
pub(super) struct SigningKeys {
    secrets: Api<Lenient<Secret>>,
    namespace: String,
    asked: Arc<Mutex<Option<Asked>>>,
}

impl SigningKeys {
    pub(super) fn new(client: Client) -> Self {
        let namespace = client.default_namespace().to_owned();
        Self { secrets: Api::namespaced(client, &namespace), namespace, asked: Arc::default() }
    }

    /// The key, read once.
    pub(super) async fn key(&self) -> Result<SigningKey, NoKey> {
        let mut asked = self.asked.lock().await;
        match &*asked {
            Some(Asked { answer: Ok(key), .. }) => return Ok(key.clone()),
            Some(Asked { at, answer: Err(why) }) if at.elapsed() < RETRY => return Err(why.clone()),
            Some(_) | None => {}
        }
        let answer = self.read_or_make().await;
        let is_news = asked.as_ref().is_none_or(|before| before.answer != answer);
        if let Some(why) = answer.as_ref().err().filter(|_| is_news) {
            tracing::warn!("no definition is kept or used without the key that signs them: {why}");
        }
        *asked = Some(Asked { at: Instant::now(), answer: answer.clone() });
        answer
    }

    /// The key, read again if that is not long ago: another replica may have made a new one. The known one stays if it cannot
    /// be read.
    pub(super) async fn key_now(&self) -> Result<SigningKey, NoKey> {
        {
            let mut asked = self.asked.lock().await;
            if let Some(Asked { at, answer: Ok(known) }) = &mut *asked
                && at.elapsed() >= RETRY
            {
                *at = Instant::now();
                if let Ok(key) = self.read_or_make().await {
                    *known = key;
                }
            }
        }
        self.key().await
    }

    async fn read_or_make(&self) -> Result<SigningKey, NoKey> {
        if let Some(found) = self.secrets.get_opt(SIGNING_KEY).await.map_err(|error| self.problem("get", &error))? {
            return self.key_in(found);
        }
        let made = self.secrets.create(&written_by_us(), &Lenient(self.fresh()?)).await;
        match made {
            Ok(made) => {
                tracing::info!(namespace = self.namespace, "made Secret {SIGNING_KEY}, which signs kept definitions");
                self.key_in(made)
            }
            // Another replica was faster: its key is everybody's.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let found = self.secrets.get(SIGNING_KEY).await.map_err(|error| self.problem("get", &error))?;
                self.key_in(found)
            }
            Err(error) => Err(self.problem("create", &error)),
        }
    }

    fn fresh(&self) -> Result<Secret, NoKey> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| NoKey {
            why: format!("the system gives no random numbers: {error}"),
            needs_person: false,
        })?;
        Ok(Secret {
            metadata: ObjectMeta {
                name: Some(SIGNING_KEY.to_owned()),
                namespace: Some(self.namespace.clone()),
                labels: Some([("app.kubernetes.io/part-of".to_owned(), "kubeheal".to_owned())].into()),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(ENTRY.to_owned(), ByteString(key.to_vec()))])),
            immutable: Some(true),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        })
    }

    fn key_in(&self, Lenient(secret): Lenient<Secret>) -> Result<SigningKey, NoKey> {
        let entry = secret.data.unwrap_or_default().remove(ENTRY);
        entry.and_then(|key| SigningKey::of(&key.0)).ok_or_else(|| NoKey {
            why: format!("{} has no {ENTRY} of {KEY_BYTES} bytes: delete it, and kubeheal makes another", self.place()),
            needs_person: true,
        })
    }

    fn problem(&self, verb: &str, error: &kube::Error) -> NoKey {
        let place = self.place();
        match error {
            kube::Error::Api(status) if status.code == 403 => NoKey {
                why: format!(
                    "kubeheal may not {verb} {place}: see the Role kubeheal-signing-key in deploy/base/rbac.yaml"
                ),
                needs_person: true,
            },
            kube::Error::Api(status) if status.code == 404 => {
                NoKey { why: format!("{place} cannot be made: {}", status.message), needs_person: true }
            }
            _ => NoKey { why: format!("{place}: {}", error_text(error)), needs_person: false },
        }
    }

    fn place(&self) -> String {
        format!("Secret {SIGNING_KEY} in namespace {}", self.namespace)
    }
}

impl From<Result<SigningKey, NoKey>> for Signing {
    fn from(answer: Result<SigningKey, NoKey>) -> Self {
        match answer {
            Ok(key) => Self::Key(key),
            Err(NoKey { why, .. }) => Self::NoKey(why),
        }
    }
}
