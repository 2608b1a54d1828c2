//! A kubeconfig with the token of a service account, so that a controller outside of the cluster has just the rights that it
//! would have inside.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{
    Api,
    api::PostParams,
    config::{AuthInfo, Kubeconfig},
};

use crate::{
    failure::{Failure, Result},
    ground::Ground,
};

/// Longer than any run.
const LIFETIME_SECONDS: i64 = 4 * 3600;

/// Which service account, as `NAMESPACE/NAME`.
#[derive(Clone, Debug)]
pub(crate) struct ServiceAccountName {
    pub(crate) namespace: String,
    name: String,
}

impl FromStr for ServiceAccountName {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err("write NAMESPACE/NAME, as in kubeheal-system/kubeheal".to_owned()),
        }
    }
}

impl ServiceAccountName {
    /// Writes a kubeconfig of the same cluster with a token of this account into `folder`.
    pub(crate) async fn kubeconfig(&self, ground: &Ground, folder: &Path) -> Result<PathBuf> {
        let token = self.token(ground).await?;
        let mut config = match &ground.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        }
        .map_err(|error| Failure::new(format!("read the kubeconfig once more: {error}")))?;
        let current = config.current_context.clone().unwrap_or_default();
        let context = config.contexts.iter().find(|context| context.name == current);
        let user = context.and_then(|context| context.context.as_ref()?.user.clone()).unwrap_or_default();
        let entry = config.auth_infos.iter_mut().find(|entry| entry.name == user);
        let entry = entry.ok_or_else(|| Failure::new(format!("the kubeconfig has no user {user:?} of {current:?}")))?;
        entry.auth_info = Some(AuthInfo { token: Some(token.into()), ..AuthInfo::default() });

        // As inside: its own namespace is where it may keep a Lease and a key.
        let context = config.contexts.iter_mut().find(|context| context.name == current);
        if let Some(context) = context.and_then(|context| context.context.as_mut()) {
            context.namespace = Some(self.namespace.clone());
        }

        let path = folder.join("service-account.kubeconfig");
        let text = serde_json::to_string(&config)
            .map_err(|error| Failure::new(format!("write the kubeconfig of {}: {error}", self.name)))?;
        std::fs::write(&path, text).map_err(|error| Failure::new(format!("write {}: {error}", path.display())))?;
        Ok(path)
    }

    async fn token(&self, ground: &Ground) -> Result<String> {
        let accounts: Api<ServiceAccount> = Api::namespaced(ground.client.clone(), &self.namespace);
        let spec = TokenRequestSpec { expiration_seconds: Some(LIFETIME_SECONDS), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let answer = accounts.create_token_request(&self.name, &PostParams::default(), &request).await;
        let doing = format!("ask for a token of service account {}/{}", self.namespace, self.name);
        let answer = answer.map_err(|error| Failure::api(doing.clone(), &error))?;
        answer
            .status
            .and_then(|status| status.token)
            .ok_or_else(|| Failure::new(format!("{doing}: the answer has none")))
    }
}
