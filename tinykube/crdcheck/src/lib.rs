//! What a Kubernetes API server says of a `CustomResourceDefinition` before it takes it.
//!
//! The words and their order are those of Kubernetes 1.36. Rules are compiled and their cost is estimated as there, because a
//! rule that is fine by itself may cost too much on the largest object that the schema allows.

mod cel;
mod definition;
mod field_path;
mod names;
mod problem;
mod schema;
mod structural;

use serde_json::Value;

pub use self::problem::Problem;

/// What is wrong with the defaults of a schema at a path.
pub type Defaults<'a> = dyn Fn(&Value, &str) -> Vec<Problem> + 'a;

/// Everything wrong with a definition, in the order in which the server says it, but for what is wrong with the metadata of any
/// object. Its defaults are judged by `defaults`, which sees structural schemas only.
pub fn problems(definition: &Value, defaults: &Defaults<'_>) -> Vec<Problem> {
    definition::problems(definition, defaults)
}
