//! The pods of an indexed job: which of its completions each is for.

use serde_json::Value;

use crate::object;

/// The annotation and label with the index of a pod.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Which of the completions of an indexed job a pod is for.
pub(super) fn index_of(pod: &Value) -> Option<i64> {
    object::annotation(pod, INDEX)?.parse().ok()
}
