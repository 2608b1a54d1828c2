//! The ReplicaSets of a Deployment: the one of its pod template, and those before.

use std::sync::Arc;

use serde_json::Value;

/// The ReplicaSets of a Deployment.
pub(crate) struct Sets {
    pub(crate) new: Option<Arc<Value>>,
    /// All others, oldest first.
    pub(crate) old: Vec<Arc<Value>>,
}

impl Sets {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Value>> {
        self.old.iter().chain(&self.new)
    }
}
