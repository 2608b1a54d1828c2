//! Tables: what `kubectl get` shows.

mod builtin;
mod columns;
mod jsonpath;
mod pod;
mod scale;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Api;
use super::partial_metadata::{Version, metadata_of};
use crate::resource::Resource;

const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const AGE: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// One column.
struct Column {
    name: &'static str,
    kind: &'static str,
    description: &'static str,
    /// 0 is always shown, 1 only in wide output.
    priority: i64,
}

impl Column {
    fn definition(&self) -> Value {
        let format = if self.name == "Name" { "name" } else { "" };
        column(self.name, self.kind, format, self.description, self.priority)
    }
}

fn column(name: &str, kind: &str, format: &str, description: &str, priority: i64) -> Value {
    json!({"name": name, "type": kind, "format": format, "description": description, "priority": priority})
}

/// The `includeObject` parameter of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowObject {
    /// No object.
    None,
    /// Its metadata.
    Metadata,
    /// The whole of it.
    Object,
}

/// Makes the cells of an object.
type Cells<'a> = Box<dyn Fn(&Value) -> Vec<Value> + 'a>;

/// The table of these objects.
pub(super) fn render(
    api: &Api,
    resource: &Resource,
    objects: impl Iterator<Item = Arc<Value>>,
    (row, version): (RowObject, Version),
    metadata: &Value,
) -> Value {
    let now = api.clock().now();
    let custom = api.registry().custom(resource);
    let (columns, cells): (Vec<Value>, Cells<'_>) = if let Some(custom) = &custom {
        let printed = printed_columns(&custom.version);
        let columns = custom_columns(&printed);
        (columns, Box::new(move |object| custom_cells(&printed, object, now)))
    } else {
        let columns = columns::of(resource).iter().map(Column::definition).collect();
        (columns, Box::new(move |object| builtin::cells(resource, object, now)))
    };
    let rows: Vec<Value> = objects
        .map(|object| {
            let mut row = row_of(&cells(&object), &object, (row, version));
            if let Some(over) = pod::over(resource, &object) {
                row["conditions"] = json!([over]);
            }
            row
        })
        .collect();
    table(version, metadata, &columns, &rows)
}

/// The table of a `Scale`.
pub(super) fn render_scale(
    api: &Api,
    resource: &Resource,
    scale: &Value,
    (row, version): (RowObject, Version),
    metadata: &Value,
) -> Value {
    let (columns, cells) = scale::columns_and_cells(resource.custom, scale, api.clock().now());
    table(version, metadata, &columns, &[row_of(&cells, scale, (row, version))])
}

fn row_of(cells: &[Value], object: &Value, (row, version): (RowObject, Version)) -> Value {
    let shown = match row {
        RowObject::None => Value::Null,
        RowObject::Metadata => metadata_of(object, version),
        RowObject::Object => object.clone(),
    };
    json!({"cells": cells, "object": shown})
}

fn table(version: Version, metadata: &Value, columns: &[Value], rows: &[Value]) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": version.api_version(),
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    })
}

/// The columns a definition names, or its age.
fn printed_columns(version: &Value) -> Vec<Value> {
    let columns = version["additionalPrinterColumns"].as_array().filter(|columns| !columns.is_empty());
    columns.cloned().unwrap_or_else(|| {
        vec![json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp", "description": AGE})]
    })
}

fn custom_columns(printed: &[Value]) -> Vec<Value> {
    let text = |column: &Value, key: &str| column[key].as_str().unwrap_or_default().to_owned();
    let mut columns = vec![column("Name", "string", "name", NAME, 0)];
    for entry in printed {
        let mut description = text(entry, "description");
        if description.is_empty() {
            description =
                format!("Custom resource definition column (in JSONPath format): {}", text(entry, "jsonPath"));
        }
        let priority = entry["priority"].as_i64().unwrap_or(0);
        columns.push(column(
            &text(entry, "name"),
            &text(entry, "type"),
            &text(entry, "format"),
            &description,
            priority,
        ));
    }
    columns
}

fn custom_cells(printed: &[Value], object: &Value, now: Timestamp) -> Vec<Value> {
    let mut cells = vec![object["metadata"]["name"].clone()];
    for entry in printed {
        let path = entry["jsonPath"].as_str().unwrap_or_default();
        let found = jsonpath::find(object, path);
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        cells.push(match (entry["type"].as_str(), found.first()) {
            (Some("date"), Some(value)) => age(value, now),
            (Some("integer" | "number"), Some(value)) if value.is_number() => (*value).clone(),
            (Some("boolean"), Some(value)) if value.is_boolean() => (*value).clone(),
            (Some("string"), Some(_)) => found.iter().map(|value| shown(value)).collect::<Vec<_>>().join(",").into(),
            _ => Value::Null,
        });
    }
    cells
}

/// How long ago a time was, as kubectl shows it.
fn age(time: &Value, now: Timestamp) -> Value {
    let Some(time) = time.as_str().and_then(|time| time.parse::<Timestamp>().ok()) else {
        return "<unknown>".into();
    };
    human(now.as_second() - time.as_second()).into()
}

/// A duration in seconds as kubectl shows it.
fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let with = |large: i64, unit: &str, small: i64, rest: &str| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{rest}") }
    };
    match seconds {
        ..0 => "<invalid>".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => with(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => with(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => with(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => with(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}
