//! What a real server serves and this one does not: it says so, so that nobody takes it for a wrong path.

use crate::api::Status;
use crate::api::path::ResourcePath;

/// Built-in resources by group.
const RESOURCES: &[(&str, &str)] = &[
    ("", "bindings componentstatuses limitranges persistentvolumes podtemplates replicationcontrollers"),
    (
        "admissionregistration.k8s.io",
        "mutatingadmissionpolicies mutatingadmissionpolicybindings validatingadmissionpolicies \
         validatingadmissionpolicybindings",
    ),
    ("apiregistration.k8s.io", "apiservices"),
    ("batch", "cronjobs"),
    ("certificates.k8s.io", "certificatesigningrequests"),
    ("flowcontrol.apiserver.k8s.io", "flowschemas prioritylevelconfigurations"),
    ("networking.k8s.io", "ingressclasses ingresses ipaddresses servicecidrs"),
    ("node.k8s.io", "runtimeclasses"),
    ("resource.k8s.io", "deviceclasses resourceclaims resourceclaimtemplates resourceslices"),
    ("scheduling.k8s.io", "priorityclasses"),
    (
        "storage.k8s.io",
        "csidrivers csinodes csistoragecapacities storageclasses volumeattachments volumeattributesclasses",
    ),
];

/// Parts of objects by plural.
const PARTS: [(&str, &str); 3] =
    [("nodes", "proxy"), ("pods", "attach ephemeralcontainers exec portforward proxy resize"), ("services", "proxy")];

/// Paths without a resource.
const PATHS: [&str; 4] = ["/metrics", "/logs", "/debug", "/.well-known"];

fn lists(names: &str, wanted: &str) -> bool {
    names.split(' ').any(|name| name == wanted)
}

/// Why a resource is not served, if a real server has it.
pub(super) fn resource(path: &ResourcePath) -> Option<Status> {
    let known = RESOURCES.iter().any(|(group, names)| *group == path.group && lists(names, &path.plural));
    let group = if path.group.is_empty() { String::new() } else { format!(".{}", path.group) };
    known.then(|| Status::not_implemented(&format!("{}{group}", path.plural)))
}

/// Why a part of an object is not served, if a real server has it.
pub(super) fn part(path: &ResourcePath) -> Option<Status> {
    // What follows `proxy` is a path of its own.
    let part = path.subresource.split('/').next().unwrap_or_default();
    let known = PARTS.iter().any(|(plural, parts)| *plural == path.plural && lists(parts, part));
    (path.group.is_empty() && known).then(|| Status::not_implemented(&format!("{}/{part}", path.plural)))
}

/// Why a path is not served, if a real server has it.
pub(super) fn path(path: &str) -> Option<Status> {
    const WHOLE: [&str; 2] = ["/metrics", "/logs"];
    let is_part = |root: &str, rest: &str| rest.starts_with('/') && !WHOLE.contains(&root);
    let below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || is_part(root, rest));
    PATHS.iter().any(|root| below(root)).then(|| Status::not_implemented(path))
}
