//! Bearer tokens as such: how they are signed and read, whom they are for, and how one is refused.
//!
//! They are JWTs, signed with a key the cluster draws when it starts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// Whom a token is for unless its holder asks otherwise: the API server.
pub(crate) const AUDIENCE: &str = "https://kubernetes.default.svc";

/// Signs tokens. The key is nobody's: it is drawn from the system and never shown.
#[derive(Clone)]
pub(super) struct Signer([u8; 32]);

impl Signer {
    #[expect(clippy::expect_used, reason = "a system without random numbers cannot run a server")]
    pub(super) fn new() -> Signer {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the system has random numbers");
        Signer(key)
    }

    fn mac(&self, text: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(text.as_bytes());
        Some(mac)
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({"alg": "HS256", "kid": "tinykube"})), part(claims));
        let signature = self.mac(&text).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// What a token says, or why it is none of ours.
    pub(super) fn read(&self, token: &str) -> Result<Value, String> {
        let unknown = || "invalid bearer token".to_owned();
        let (text, signature) = token.rsplit_once('.').ok_or_else(unknown)?;
        let (_, claims) = text.split_once('.').ok_or_else(unknown)?;
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| unknown())?;
        let claims: Value = serde_json::from_slice(&claims).map_err(|_| unknown())?;
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        let genuine = self.mac(text).is_some_and(|mac| mac.verify_slice(&signature).is_ok());
        if genuine { Ok(claims) } else { Err(refused("go-jose/go-jose: error in cryptographic primitive")) }
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Signer")
    }
}

pub(super) fn refused(why: &str) -> String {
    format!("[invalid bearer token, {why}]")
}
