//! What the server knows about one kind of object: its names, scope and subresources.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde_json::Value;

use crate::object;

/// One served group, version and resource. Cheap to clone; compares by group, version and plural.
#[derive(Clone)]
pub struct Resource(Arc<Definition>);

/// The facts of a [`Resource`].
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, as discovery lists them")]
pub struct Definition {
    /// API group, empty for the core group.
    pub group: String,
    /// Version within the group, for example `v1`.
    pub version: String,
    /// Plural name in paths, for example `pods`.
    pub plural: String,
    /// Singular name, for example `pod`.
    pub singular: String,
    /// Kind, for example `Pod`.
    pub kind: String,
    /// Kind of its list, for example `PodList`.
    pub list_kind: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Short names kubectl understands.
    pub short_names: Vec<String>,
    /// Categories such as `all`.
    pub categories: Vec<String>,
    /// Whether `/status` is served.
    pub status: bool,
    /// Whether `/scale` is served.
    pub scale: bool,
    /// Whether it comes from a `CustomResourceDefinition`.
    pub custom: bool,
    /// Answered but never stored, such as `SelfSubjectReview`.
    pub virtual_only: bool,
    /// Where its objects are stored; resources that are views of the same objects share it.
    pub storage: Arc<str>,
}

impl Resource {
    /// A resource out of its facts.
    pub fn new(definition: Definition) -> Resource {
        Resource(Arc::new(definition))
    }

    /// `apiVersion` as objects carry it: `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `plural` or `plural.group`, as messages name it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `Kind` or `Kind.group`, as messages of validation name it.
    pub fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    /// The object of this resource with a name; `namespace` is empty for cluster-scoped ones.
    pub fn named<'a>(&'a self, namespace: &'a str, name: &'a str) -> ObjectRef<'a> {
        ObjectRef { resource: self, namespace, name }
    }

    /// Whether this is `plural` of `group`, in any version.
    pub fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }
}

/// Which object is meant.
#[derive(Clone, Copy, Debug)]
pub struct ObjectRef<'a> {
    /// What it is one of.
    pub resource: &'a Resource,
    /// Where it is; empty for cluster-scoped ones.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl<'a> ObjectRef<'a> {
    /// The stored object that `object` is a version of.
    pub fn of(resource: &'a Resource, object: &'a Value) -> ObjectRef<'a> {
        resource.named(object::namespace(object), object::name(object))
    }
}

impl Deref for Resource {
    type Target = Definition;

    fn deref(&self) -> &Definition {
        &self.0
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Resource) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.group == other.group && self.version == other.version && self.plural == other.plural)
    }
}

impl Eq for Resource {}

impl fmt::Debug for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.api_version(), self.plural)
    }
}
