//! Objects as Go shows the server's internal types in messages: every field, by its Go name, with its zero value.

use serde_json::{Map, Value};

/// Name in JSON, name in Go, what stands there when it is not set.
type Fields = &'static [(&'static str, &'static str, &'static str)];

/// A container's security context.
pub(super) const SECURITY_CONTEXT: Fields = &[
    ("capabilities", "Capabilities", "null"),
    ("privileged", "Privileged", "null"),
    ("seLinuxOptions", "SELinuxOptions", "null"),
    ("windowsOptions", "WindowsOptions", "null"),
    ("runAsUser", "RunAsUser", "null"),
    ("runAsGroup", "RunAsGroup", "null"),
    ("runAsNonRoot", "RunAsNonRoot", "null"),
    ("readOnlyRootFilesystem", "ReadOnlyRootFilesystem", "null"),
    ("allowPrivilegeEscalation", "AllowPrivilegeEscalation", "null"),
    ("procMount", "ProcMount", "null"),
    ("seccompProfile", "SeccompProfile", "null"),
    ("appArmorProfile", "AppArmorProfile", "null"),
];

/// How a workload is rolled out.
pub(super) const STRATEGY: Fields = &[("type", "Type", "\"\""), ("rollingUpdate", "RollingUpdate", "null")];

/// A port of a service, as far as two of them can be the same.
pub(super) const SERVICE_PORT: Fields = &[
    ("", "Name", "\"\""),
    ("protocol", "Protocol", "\"\""),
    ("", "AppProtocol", "null"),
    ("port", "Port", "0"),
    ("", "TargetPort", "0"),
    ("", "NodePort", "0"),
];

/// A disruption budget.
pub(super) const BUDGET: Fields = &[
    ("minAvailable", "MinAvailable", "null"),
    ("selector", "Selector", "null"),
    ("maxUnavailable", "MaxUnavailable", "null"),
    ("unhealthyPodEvictionPolicy", "UnhealthyPodEvictionPolicy", "null"),
];

/// What a binding binds.
pub(super) const ROLE_REFERENCE: Fields =
    &[("apiGroup", "APIGroup", "\"\""), ("kind", "Kind", "\"\""), ("name", "Name", "\"\"")];

/// An object as Go shows it.
pub(super) fn shown(object: &Value, fields: Fields) -> Value {
    let show = |(name, go, zero): &(&str, &str, &str)| {
        let value = object.get(*name).filter(|value| !value.is_null()).cloned();
        let value = value.unwrap_or_else(|| serde_json::from_str(zero).unwrap_or_default());
        ((*go).to_owned(), value)
    };
    fields.iter().map(show).collect::<Map<String, Value>>().into()
}
