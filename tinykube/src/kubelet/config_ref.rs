//! References of a pod to the objects that configure its containers.

/// The kinds of objects that configure containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ConfigKind {
    /// A Secret.
    Secret,
    /// A `ConfigMap`.
    ConfigMap,
}

/// A reference to a Secret or `ConfigMap`, or to one key of it, that must resolve.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConfigRef {
    /// What is referred to.
    pub(crate) kind: ConfigKind,
    /// Its name.
    pub(crate) name: String,
    /// The key that must be there.
    pub(crate) key: Option<String>,
}

impl ConfigRef {
    pub(super) fn new(kind: ConfigKind, name: &str, key: Option<&str>) -> ConfigRef {
        ConfigRef { kind, name: name.to_owned(), key: key.map(str::to_owned) }
    }
}
