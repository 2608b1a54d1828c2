//! A finding: what is wrong, and where.

use jiff::Timestamp;

use super::{
    cause::{Cause, Probe},
    snapshot::{Container, Pod},
};

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The workload itself.
    Workload {
        /// Its name.
        name: String,
    },
    /// A pod as a whole.
    Pod {
        /// Its name.
        name: String,
        /// Its UID.
        uid: String,
    },
    /// One container of a pod.
    Container {
        /// Name of the pod.
        pod: String,
        /// UID of the pod.
        uid: String,
        /// Its name.
        name: String,
    },
}

impl Place {
    /// The workload.
    pub fn workload(name: &str) -> Self {
        Self::Workload { name: name.to_owned() }
    }

    /// A pod as a whole.
    pub fn pod(pod: &Pod) -> Self {
        Self::Pod { name: pod.name.clone(), uid: pod.uid.clone() }
    }

    /// A container of a pod.
    pub fn container_of(pod: &Pod, container: &Container) -> Self {
        Self::Container { pod: pod.name.clone(), uid: pod.uid.clone(), name: container.name.clone() }
    }

    /// Name of the pod, or of the workload where that is meant.
    pub fn object(&self) -> &str {
        match self {
            Self::Workload { name } | Self::Pod { name, .. } | Self::Container { pod: name, .. } => name,
        }
    }

    /// UID of the pod, where one is meant.
    pub fn uid(&self) -> Option<&str> {
        match self {
            Self::Workload { .. } => None,
            Self::Pod { uid, .. } | Self::Container { uid, .. } => Some(uid),
        }
    }

    /// Name of the container, where one is meant.
    pub fn container(&self) -> Option<&str> {
        match self {
            Self::Workload { .. } | Self::Pod { .. } => None,
            Self::Container { name, .. } => Some(name),
        }
    }
}

/// One thing wrong with one container (or pod, or the workload).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// The probe that told.
    pub probe: Option<Probe>,
    /// What is wrong.
    pub cause: Cause,
    /// Named root cause, where a rule matched.
    pub diagnosis: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// It crossed its threshold: it counts as unhealthy and may be acted on.
    pub over_threshold: bool,
    /// It is so right now. A container between two crashes looks well and may be: nobody acts on it then.
    pub active_now: bool,
    /// Replacing the pod (or the workload) could help, and the policy allows to try.
    pub restart_may_help: bool,
    /// One sentence for people.
    pub message: String,
}

impl Finding {
    /// A finding in a place, active now.
    pub fn new(place: Place, cause: Cause, since: Timestamp, over_threshold: bool, message: String) -> Self {
        let restart_may_help = cause.restart_helps();
        Self {
            place,
            probe: None,
            cause,
            diagnosis: None,
            since,
            over_threshold,
            active_now: true,
            restart_may_help,
            message,
        }
    }

    /// It is about this pod or one of its containers.
    pub fn is_about(&self, pod: &Pod) -> bool {
        self.place.uid() == Some(&pod.uid)
    }
}
