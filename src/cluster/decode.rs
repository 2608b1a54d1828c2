//! Decoding: what the API server sends → objects, one at a time.
//!
//! An API server holds times that we cannot: it takes the whole year 9999, and an offset may carry a time into the year
//! 10000. Such a time is read as absent. An object that cannot be read all the same is left out by itself, with its name: it
//! takes neither the others of its list with it nor the watch that it came by.

use std::{borrow::Cow, fmt::Debug};

use k8s_openapi::{
    api::{apps::v1::ControllerRevision, coordination::v1::Lease, core::v1::Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Resource,
    core::{ApiResource, DynamicObject, DynamicResourceScope},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Value;

use crate::api::{
    ClusterHealingPolicy, HealedService, HealingPolicy,
    fit::{LAST_SECOND, fit_status, is_held},
};

/// A kind whose objects can be read although there are times in them that cannot be held.
pub trait Decode: DeserializeOwned {
    /// Takes out what cannot be read, as far as it is known where that may stand. Asked only when decoding failed.
    fn mend(object: &mut Value) {
        mend_metadata(object);
    }
}

/// An object, whatever times are in it.
pub(super) fn decode<K: Decode>(mut object: Value) -> Result<K, serde_json::Error> {
    K::deserialize(&object).or_else(|_| {
        K::mend(&mut object);
        K::deserialize(&object)
    })
}

fn mend_metadata(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let is_far = |time: Option<&Value>| time.and_then(Value::as_str).is_some_and(|time| !is_held(time));
    if is_far(metadata.get("creationTimestamp")) {
        metadata.remove("creationTimestamp");
    }
    // Whatever the time: it is being deleted.
    if is_far(metadata.get("deletionTimestamp")) {
        metadata.insert("deletionTimestamp".to_owned(), LAST_SECOND.into());
    }
    let managers = metadata.get_mut("managedFields").and_then(Value::as_array_mut).into_iter().flatten();
    for manager in managers.filter_map(Value::as_object_mut) {
        if is_far(manager.get("time")) {
            manager.remove("time");
        }
    }
}

/// Takes out times that cannot be held.
fn forget_far(object: &mut Value, parent: &str, fields: &[&str]) {
    let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) else { return };
    parent.retain(|name, value| !fields.contains(&name.as_str()) || value.as_str().is_none_or(is_held));
}

impl Decode for DynamicObject {}
impl Decode for Secret {}
impl Decode for ControllerRevision {}
impl Decode for Outline {}

impl Decode for Lease {
    fn mend(object: &mut Value) {
        mend_metadata(object);
        forget_far(object, "/spec", &["acquireTime", "renewTime"]);
    }
}

impl Decode for HealedService {
    fn mend(object: &mut Value) {
        mend_ours(object);
        if let Some(object) = object.as_object_mut()
            && object.get_mut("status").is_some_and(|status| !fit_status(status))
        {
            object.remove("status");
        }
    }
}

impl Decode for HealingPolicy {
    fn mend(object: &mut Value) {
        mend_ours(object);
    }
}

impl Decode for ClusterHealingPolicy {
    fn mend(object: &mut Value) {
        mend_ours(object);
    }
}

/// Nobody reads the managed fields of our own kinds, and an update that names none leaves them as they are.
fn mend_ours(object: &mut Value) {
    mend_metadata(object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}

/// An object that was asked for by itself: read although there are times in it that cannot be held.
#[derive(Debug, Clone)]
pub struct Lenient<K>(pub K);

impl<'de, K: Decode> Deserialize<'de> for Lenient<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decode(Value::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

impl<K: Serialize> Serialize for Lenient<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<K: Resource> Resource for Lenient<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &K::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }
    fn group(dt: &K::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }
    fn version(dt: &K::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }
    fn plural(dt: &K::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }
    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

/// An object of any kind as far as its identity goes. It can always be read.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    /// Name, namespace, UID and resourceVersion.
    pub meta: ObjectMeta,
    /// UID of its controller.
    pub controller: Option<String>,
    /// It is being deleted.
    pub deleting: bool,
}

impl Outline {
    fn of(object: &Value) -> Self {
        let metadata = &object["metadata"];
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        let controller = owners.filter(|owner| owner["controller"] == true).find_map(|owner| text(&owner["uid"]));
        let meta = ObjectMeta {
            name: text(&metadata["name"]),
            namespace: text(&metadata["namespace"]),
            uid: text(&metadata["uid"]),
            resource_version: text(&metadata["resourceVersion"]),
            ..ObjectMeta::default()
        };
        Self { meta, controller, deleting: !metadata["deletionTimestamp"].is_null() }
    }
}

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|object| Self::of(&object))
    }
}

impl Resource for Outline {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(dt: &ApiResource) -> Cow<'_, str> {
        dt.kind.as_str().into()
    }
    fn group(dt: &ApiResource) -> Cow<'_, str> {
        dt.group.as_str().into()
    }
    fn version(dt: &ApiResource) -> Cow<'_, str> {
        dt.version.as_str().into()
    }
    fn plural(dt: &ApiResource) -> Cow<'_, str> {
        dt.plural.as_str().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// An object out of a list or a watch. Decoding it never fails: what cannot be read is told with its name.
#[derive(Debug, Clone)]
pub struct Item<K> {
    /// Which object it is.
    pub outline: Outline,
    /// The object, or why it cannot be read.
    pub content: Result<K, String>,
}

impl<'de, K: Decode> Deserialize<'de> for Item<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Value::deserialize(deserializer)?;
        let outline = Outline::of(&object);
        Ok(Self { outline, content: decode(object).map_err(|error| error.to_string()) })
    }
}

impl<K: Resource> Resource for Item<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &K::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }
    fn group(dt: &K::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }
    fn version(dt: &K::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }
    fn plural(dt: &K::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }
    fn meta(&self) -> &ObjectMeta {
        &self.outline.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.outline.meta
    }
}
