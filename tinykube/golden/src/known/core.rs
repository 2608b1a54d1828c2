//! The first set.

use super::Known;

/// What discovery does not list.
pub(super) const NOT_SERVED: &[&str] = &[
    "bindings",
    "componentstatuses",
    "limitranges",
    "persistentvolumes",
    "podtemplates",
    "replicationcontrollers",
    "nodes/proxy",
    "services/proxy",
    "pods/attach",
    "pods/ephemeralcontainers",
    "pods/exec",
    "pods/portforward",
    "pods/proxy",
    "pods/resize",
    "autoscaling/v1",
    "batch/v1/cronjobs",
    "networking.k8s.io/v1/ingressclasses",
    "networking.k8s.io/v1/ingresses",
    "networking.k8s.io/v1/ipaddresses",
    "networking.k8s.io/v1/servicecidrs",
    "admissionregistration.k8s.io/v1/mutatingadmissionpolicies",
    "admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings",
    "admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "apiregistration.k8s.io",
    "certificates.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "node.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

pub(super) const KNOWN: &[Known] = &[
    Known::differs(
        "custom",
        &[6],
        "OpenAPI documents hold what kubectl reads, without lists, scales and descriptions of parameters",
    ),
    Known::but_for(NOT_SERVED, "discovery", &[6, 16, 17, 18], "groups, kinds and parts that are not served"),
    Known::differs("discovery", &[19, 20], "OpenAPI documents hold what kubectl reads, of the groups that are served"),
];
