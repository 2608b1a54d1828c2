//! What the kubelet needs of a pod spec.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;

use super::config_ref::{ConfigKind, ConfigRef};
use super::probe::Probe;
use super::probe_kind::ProbeKind;

/// What a container is to its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs to its end before the others start.
    Init,
    /// An init container that goes on running.
    Sidecar,
    /// A regular container.
    Main,
}

impl Role {
    pub(crate) fn is_init(self) -> bool {
        self != Role::Main
    }
}

/// When finished containers are started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

/// The restart policy of a pod.
pub(crate) fn restart_policy(spec: &core::PodSpec) -> RestartPolicy {
    match spec.restart_policy.as_deref() {
        Some("Never") => RestartPolicy::Never,
        Some("OnFailure") => RestartPolicy::OnFailure,
        _ => RestartPolicy::Always,
    }
}

/// The role of an init container.
pub(crate) fn init_role(container: &core::Container) -> Role {
    if container.restart_policy.as_deref() == Some("Always") { Role::Sidecar } else { Role::Init }
}

/// The probes of a container; their workers' beat starts at `beat`.
pub(crate) fn probes(container: &core::Container, beat: Timestamp) -> Vec<Probe> {
    let kinds = [
        (ProbeKind::Startup, &container.startup_probe),
        (ProbeKind::Liveness, &container.liveness_probe),
        (ProbeKind::Readiness, &container.readiness_probe),
    ];
    let present = kinds.into_iter().filter_map(|(kind, probe)| Some((kind, probe.as_ref()?)));
    present.map(|(kind, probe)| Probe::new(kind, probe, container, beat)).collect()
}

/// Secrets and config maps without which a container cannot be created.
pub(crate) fn environment(container: &core::Container) -> Vec<ConfigRef> {
    let mut references = Vec::new();
    for source in container.env_from.iter().flatten() {
        if let Some(secret) = source.secret_ref.as_ref().filter(|secret| secret.optional != Some(true)) {
            references.push(ConfigRef::new(ConfigKind::Secret, &secret.name, None));
        }
        if let Some(map) = source.config_map_ref.as_ref().filter(|map| map.optional != Some(true)) {
            references.push(ConfigRef::new(ConfigKind::ConfigMap, &map.name, None));
        }
    }
    for source in container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref()) {
        if let Some(secret) = source.secret_key_ref.as_ref().filter(|secret| secret.optional != Some(true)) {
            references.push(ConfigRef::new(ConfigKind::Secret, &secret.name, Some(&secret.key)));
        }
        if let Some(map) = source.config_map_key_ref.as_ref().filter(|map| map.optional != Some(true)) {
            references.push(ConfigRef::new(ConfigKind::ConfigMap, &map.name, Some(&map.key)));
        }
    }
    references
}

/// Secrets and config maps without which the pod's volumes cannot be mounted, by volume name.
pub(crate) fn volumes(spec: &core::PodSpec) -> Vec<(String, ConfigRef)> {
    let mut references = Vec::new();
    for volume in spec.volumes.iter().flatten() {
        let secret = volume.secret.as_ref().filter(|secret| secret.optional != Some(true));
        if let Some(name) = secret.and_then(|secret| secret.secret_name.as_deref()) {
            references.push((volume.name.clone(), ConfigRef::new(ConfigKind::Secret, name, None)));
        }
        if let Some(map) = volume.config_map.as_ref().filter(|map| map.optional != Some(true)) {
            references.push((volume.name.clone(), ConfigRef::new(ConfigKind::ConfigMap, &map.name, None)));
        }
    }
    references
}

/// How long the pod may run at all.
pub(crate) fn deadline(spec: &core::PodSpec) -> Option<Duration> {
    spec.active_deadline_seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs)
}
