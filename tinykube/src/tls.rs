//! The certificate of a server on this machine, and the kubeconfig that trusts it.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use serde_json::Value;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// The names a client on this machine, or a pod that thinks it is in a cluster, may call the server by.
const NAMES: [&str; 6] =
    ["localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];

/// A certificate for a server on this machine, by an authority that is made with it and signs nothing else.
#[derive(Clone)]
pub struct Certificate {
    authority: String,
    config: Arc<ServerConfig>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[error("make a certificate for the server: {0}")]
pub struct Error(String);

impl Certificate {
    /// A new authority and a certificate by it. It is valid at any time: the clock of a cluster may show any date.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn generate() -> Result<Certificate, Error> {
        let authority = authority()?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
        params.distinguished_name = named("tinykube");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Strict clients, Python 3.13 among them, ask for it.
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &authority)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Certificate { authority: authority.pem(), config: Arc::new(config) })
    }

    /// The certificate of the authority, as PEM: who trusts it trusts the server.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// A kubeconfig for the server at `address`, with `token` if there is one. Its cluster and its context are called `name`.
    pub fn kubeconfig(&self, name: &str, address: SocketAddr, token: Option<&str>) -> String {
        let name = Value::from(name);
        let authority = STANDARD.encode(&self.authority);
        let user = token.map_or_else(|| " {}".to_owned(), |token| format!("\n    token: {}", Value::from(token)));
        format!(
            "apiVersion: v1
kind: Config
current-context: {name}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: admin
    namespace: default
clusters:
- name: {name}
  cluster:
    server: \"https://{address}\"
    certificate-authority-data: {authority}
users:
- name: admin
  user:{user}
"
        )
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }
}

/// The private key is nobody's business.
impl std::fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Certificate").field("authority", &self.authority).finish_non_exhaustive()
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("tinykube-ca");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn named(name: &str) -> rcgen::DistinguishedName {
    let mut names = rcgen::DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

impl From<rcgen::Error> for Error {
    fn from(error: rcgen::Error) -> Error {
        Error(error.to_string())
    }
}

impl From<tokio_rustls::rustls::Error> for Error {
    fn from(error: tokio_rustls::rustls::Error) -> Error {
        Error(error.to_string())
    }
}
