//! A `Scale` as a table: of built-in kinds as the server prints it, of custom resources as a definition's columns would.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AGE, NAME, age, column, custom_cells, custom_columns};

const DESIRED: &str = "replicas is the desired number of instances for the scaled object.";
const AVAILABLE: &str = "replicas is the actual number of observed instances of the scaled object.";

/// The columns of a `Scale`, and its cells.
pub(super) fn columns_and_cells(is_custom: bool, scale: &Value, now: Timestamp) -> (Vec<Value>, Vec<Value>) {
    if is_custom {
        let printed = [
            json!({"name": "Desired", "type": "integer", "description": "Number of desired replicas", "jsonPath": ".spec.replicas"}),
            json!({"name": "Available", "type": "integer", "description": "Number of actual replicas", "jsonPath": ".status.replicas"}),
            json!({"name": "Age", "type": "date", "description": AGE, "jsonPath": ".metadata.creationTimestamp"}),
        ];
        return (custom_columns(&printed), custom_cells(&printed, scale, now));
    }
    let columns = vec![
        column("Name", "string", "", NAME, 0),
        column("Desired", "integer", "", DESIRED, 0),
        column("Available", "integer", "", AVAILABLE, 0),
        column("Age", "string", "", AGE, 0),
    ];
    let replicas = |part: &str| Value::from(scale[part]["replicas"].as_i64().unwrap_or(0));
    let (metadata, desired, available) = (&scale["metadata"], replicas("spec"), replicas("status"));
    (columns, vec![metadata["name"].clone(), desired, available, age(&metadata["creationTimestamp"], now)])
}
