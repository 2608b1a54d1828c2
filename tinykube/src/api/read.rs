//! Reading one object or a list.

use std::sync::Arc;

use serde_json::Value;

use super::{Api, Status};
use crate::resource::Resource;

/// Which objects of a list are wanted, as the query parameters say.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page {}

impl Api {
    /// One object.
    ///
    /// # Errors
    /// 404.
    pub fn get(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<Value>, Status> {
        let found = self.store().get(resource, namespace, name);
        found.ok_or_else(|| Status::not_found(resource, name))
    }

    /// Every object of a namespace, or of all if it is empty, ordered by namespace and name.
    pub fn list(&self, resource: &Resource, namespace: &str) -> Vec<Arc<Value>> {
        self.store().list(resource, namespace)
    }
}
