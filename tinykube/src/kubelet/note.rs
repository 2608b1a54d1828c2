//! What the kubelet has to say about a pod: an Event before it is counted and written.

/// An Event about a pod or one of its containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// Warning rather than Normal.
    pub(crate) warning: bool,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// `involvedObject.fieldPath`, for example `spec.containers{app}`.
    pub(crate) field_path: Option<String>,
    /// How often it happened.
    pub(crate) times: u64,
}

impl Note {
    pub(crate) fn normal(reason: &'static str, message: String) -> Note {
        Note { warning: false, reason, message, field_path: None, times: 1 }
    }

    pub(crate) fn warning(reason: &'static str, message: String) -> Note {
        Note { warning: true, ..Note::normal(reason, message) }
    }
}
