//! OpenAPI v3 documents, as far as kubectl needs them.

use serde_json::{Map, Value, json};

use crate::api::Api;

/// `/openapi/v3`: where the document of each group's version is.
pub(crate) fn index(api: &Api) -> Value {
    let mut paths = Map::new();
    for (group, versions) in api.groups() {
        for version in versions {
            let path = if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") };
            let url = format!("/openapi/v3/{path}?hash={}", api.store().rv());
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// The document of one group's version.
pub(crate) fn document(_api: &Api, _path: &str) -> Option<Value> {
    None
}
