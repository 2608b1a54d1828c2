//! Who is told, and when a trouble becomes a person's.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{DNS_LABEL, DNS_SUBDOMAIN, HTTP_URL};

/// When trouble that healing does not end is put to a person.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "Escalation::default")]
pub struct Escalation {
    /// Escalate after this many unhealthy seconds, whatever was tried.
    #[schemars(range(min = 1, max = 604_800))]
    pub unhealthy_seconds: i32,
}

impl Default for Escalation {
    fn default() -> Self {
        Self { unhealthy_seconds: 1800 }
    }
}

/// Where alerts go, besides Events and metrics.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "Alerts::default")]
pub struct Alerts {
    /// An alert that stays true is sent again after this many seconds; Alertmanager repeats by itself, as its route says.
    #[schemars(range(min = 60, max = 604_800))]
    pub repeat_seconds: i32,

    /// Receivers. Each gets every alert of this service, and its end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub receivers: Vec<Receiver>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self { repeat_seconds: 3600, receivers: Vec::new() }
    }
}

/// One receiver of alerts.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type == 'PagerDuty' ? !(has(self.url) && has(self.urlFrom)) : has(self.url) != has(self.urlFrom)")
        .message("an alert receiver needs one of url and urlFrom: write url for an address that is no secret, urlFrom for one that stands in a Secret"),
    validation = Rule::new("!has(self.url) || !self.url.matches('^https?://[^/?#]*@')")
        .message("url holds a user name or password: put the whole address into a Secret and write urlFrom"),
    validation = Rule::new("(self.type == 'PagerDuty') == has(self.routingKeyFrom)")
        .message("routingKeyFrom is the integration key of type PagerDuty, which needs it, and of no other: write it there only"),
    validation = Rule::new("self.type == 'Webhook' || !has(self.hmacFrom)")
        .message("hmacFrom signs requests of type Webhook only: remove it, or write type: Webhook"),
)]
pub struct Receiver {
    /// Name of the receiver in messages and metrics, unique in the list.
    #[schemars(length(min = 1, max = 63), regex(pattern = DNS_LABEL))]
    pub name: String,

    /// What it speaks: Alertmanager (API v2), `PagerDuty` (Events API v2), Slack (incoming webhook), Webhook (JSON, which
    /// can be signed) or `CloudEvents` (1.0, over HTTP).
    #[serde(rename = "type")]
    pub type_: ReceiverType,

    /// Address, for one that is no secret. Alertmanager's is that of its web page, without /api. PagerDuty has one by itself:
    /// `https://events.pagerduty.com/v2/enqueue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = HTTP_URL))]
    pub url: Option<String>,

    /// Address that stands in a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_from: Option<ValueFrom>,

    /// Key with which a Webhook's time and body are signed (HMAC-SHA256).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac_from: Option<ValueFrom>,

    /// Integration key of a `PagerDuty` service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_key_from: Option<ValueFrom>,
}

/// What a receiver speaks.
#[derive(
    JsonSchema,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
pub enum ReceiverType {
    /// Prometheus Alertmanager, API v2.
    Alertmanager,
    /// `PagerDuty` Events API v2.
    PagerDuty,
    /// Slack incoming webhook.
    Slack,
    /// JSON by POST, signed if `hmacFrom` is given.
    Webhook,
    /// `CloudEvents` 1.0 over HTTP.
    CloudEvents,
}

impl ReceiverType {
    /// Its name in the API and in metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A value that stands elsewhere. Reading it needs a Role that lets kubeheal get this one Secret.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValueFrom {
    /// The Secret, in the same namespace, and the key in it.
    pub secret_ref: SecretKey,
}

/// One key of a Secret.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub name: String,

    /// Key in its data.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}
