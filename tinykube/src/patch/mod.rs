//! The four ways to patch an object.

mod apply;
mod strategic;

use std::sync::Arc;

use serde_json::{Value, json};

use self::apply::Apply;
pub(crate) use self::strategic::merge_key;
use crate::api::{Api, Options, Part, Status, Update};
use crate::resource::ObjectRef;
use crate::{kinds, managed, object};

/// A patch as a client sends it.
#[derive(Clone, Debug)]
pub enum Patch {
    /// RFC 6902.
    Json(json_patch::Patch),
    /// RFC 7386.
    Merge(Value),
    /// Merge patch that knows list keys and directives; built-in kinds only.
    Strategic(Value),
    /// Server-side apply.
    Apply {
        /// The fields the manager wants.
        object: Value,
        /// Take fields over from other managers.
        force: bool,
    },
}

impl Api {
    /// Changes one part of an object by a patch; applying to an object that is not there creates it.
    ///
    /// # Errors
    /// The [`Status`] a client would get.
    pub fn patch(
        &self,
        target: ObjectRef<'_>,
        part: Part,
        patch: &Patch,
        options: &Options,
    ) -> Result<Arc<Value>, Status> {
        let ObjectRef { resource, namespace, name } = target;
        if let Patch::Apply { object: applied, force } = patch {
            let apply = Apply { api: self, resource, part, applied, force: *force, options };
            return run_apply(&apply, namespace, name);
        }
        self.transform(target, part, options, |old| {
            if part == Part::Scale {
                let mut scale = self.scale(resource, old)?;
                change(&mut scale, patch)?;
                return self.scaled(resource, old, &scale);
            }
            let mut new = Value::clone(old);
            change(&mut new, patch)?;
            kinds::decode(self, resource, &mut new, options)?;
            Ok(new)
        })
    }
}

fn change(object: &mut Value, patch: &Patch) -> Result<(), Status> {
    match patch {
        Patch::Json(operations) => json_patch::patch(object, operations).map_err(|_| {
            let message = "the server rejected our request due to an error in our request";
            Status::new(422, "Invalid", message).with_details(json!({}))
        }),
        Patch::Merge(changes) => {
            json_patch::merge(object, changes);
            Ok(())
        }
        Patch::Strategic(changes) => strategic::apply(object, changes),
        Patch::Apply { .. } => Ok(()),
    }
}

fn run_apply(apply: &Apply<'_>, namespace: &str, name: &str) -> Result<Arc<Value>, Status> {
    apply.check(name)?;
    let Apply { api, resource, part, options, .. } = *apply;
    if api.store().get(resource, namespace, name).is_none() {
        if part != Part::Main {
            return Err(Status::not_found(resource, name));
        }
        return apply.create(namespace, name);
    }
    let _writing = api.writing();
    let live = api.get(resource, namespace, name)?;
    let (mut merged, entries) = apply.onto(&live)?;
    kinds::decode(api, resource, &mut merged, options)?;
    object::entry(&mut merged, "metadata").shift_remove("managedFields");
    api.write_owned(Update { resource, part, options }, &live, merged, |new| {
        managed::write(new, entries);
    })
}
