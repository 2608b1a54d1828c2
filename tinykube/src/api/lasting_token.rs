//! Tokens that are kept in secrets: without an end, and good as long as the secret and its account are there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Api;
use super::bearer::{AUDIENCE, refused};
use crate::auth::User;
use crate::object::{self, text};

/// The type of secrets that are filled with a token.
pub(crate) const TYPE: &str = "kubernetes.io/service-account-token";

/// By which a token of this form is known.
const ISSUER: &str = "kubernetes/serviceaccount";

const NAMESPACE: &str = "kubernetes.io/serviceaccount/namespace";
const SECRET: &str = "kubernetes.io/serviceaccount/secret.name";
const ACCOUNT: &str = "kubernetes.io/serviceaccount/service-account.name";
const UID: &str = "kubernetes.io/serviceaccount/service-account.uid";

/// Whether these are the claims of a token of this form.
pub(super) fn is_lasting(claims: &Value) -> bool {
    claims["iss"] == ISSUER
}

impl Api {
    /// The token of an account for the secret of this name.
    pub(crate) fn lasting_token(&self, account: &Value, secret: &str) -> String {
        let (namespace, name) = (object::namespace(account), object::name(account));
        self.signer().sign(&json!({
            "iss": ISSUER,
            NAMESPACE: namespace,
            SECRET: secret,
            ACCOUNT: name,
            UID: object::uid(account),
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
        }))
    }

    /// Who holds a token of this form, which is for the API server alone.
    ///
    /// # Errors
    /// Why the token is good for nothing, in the real server's words.
    pub(super) fn lasting_holder(
        &self,
        token: &str,
        claims: &Value,
        audiences: &[String],
    ) -> Result<(User, Vec<String>), String> {
        let claim = |name: &str| claims[name].as_str().unwrap_or_default();
        let (namespace, account) = (claim(NAMESPACE), claim(ACCOUNT));
        let found = |plural: &str, name: &str| {
            let resource = self.resource("", plural)?;
            self.store().get(&resource, namespace, name).map(|stored| stored.value())
        };
        if !audiences.iter().any(|audience| audience == AUDIENCE) {
            let own = [AUDIENCE];
            return Err(refused(&format!("token audiences {own:?} is invalid for the target audiences {audiences:?}")));
        }
        let secret = found("secrets", claim(SECRET)).filter(|secret| !object::is_terminating(secret));
        let secret = secret.ok_or_else(|| refused("Token has been invalidated"))?;
        if text(&secret, "/data/token") != STANDARD.encode(token) {
            return Err(refused("Token does not match server's copy"));
        }
        let Some(there) = found("serviceaccounts", account) else {
            return Err(refused(&format!("serviceaccounts {account:?} not found")));
        };
        let (uid, claimed) = (object::uid(&there), claim(UID));
        if uid != claimed {
            return Err(refused(&format!("ServiceAccount UID ({uid}) does not match claim ({claimed})")));
        }
        Ok((User::account(namespace, account, uid), vec![AUDIENCE.to_owned()]))
    }
}
