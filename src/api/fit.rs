//! Making a status fit its schema: what our types could not read is taken out, and the rest stays.
//!
//! An API server keeps more than we can read: times of the whole year 9999 and later, numbers beyond 32 bits, what an older
//! schema let through. One such field must not take the whole object from us.

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::crd::HEALED_SERVICE;

/// The last second that we can hold.
pub const LAST_SECOND: &str = "9999-12-30T22:00:00Z";

/// A time that says "not before" and may be absent: without it, something would be done sooner. One that is too far to be held
/// is as far as can be held, and is pulled back like any that is too far.
const DEADLINE: &str = "retryAt";

/// Whether we can hold a time.
pub fn is_held(time: &str) -> bool {
    time.parse::<Timestamp>().is_ok()
}

/// Takes out of the status of a `HealedService` what its type cannot read. Whether anything is left.
pub fn fit_status(status: &mut Value) -> bool {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        let crd = serde_json::to_value(&*HEALED_SERVICE).unwrap_or_default();
        crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/status").cloned().unwrap_or_default()
    });
    fit(status, &SCHEMA)
}

/// Whether the value can be read by the schema, once what is optional and cannot be is taken out.
fn fit(value: &mut Value, schema: &Value) -> bool {
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        return false;
    }
    match (schema["type"].as_str(), value) {
        (None, _) | (Some("boolean"), Value::Bool(_)) => true,
        (Some("object"), Value::Object(members)) => fit_members(members, schema),
        (Some("array"), Value::Array(items)) => {
            items.retain_mut(|item| fit(item, &schema["items"]));
            true
        }
        (Some("string"), Value::String(text)) => !is_time(schema) || is_held(text),
        // Every minimum of a status is 0 or 1, and a count that is less than 0 is none.
        (Some("integer"), Value::Number(number)) => number.as_i64().is_some_and(|number| {
            let is_held = schema["format"] != "int32" || i32::try_from(number).is_ok();
            is_held && (schema["minimum"].is_null() || number >= 0)
        }),
        (Some(_), _) => false,
    }
}

fn fit_members(members: &mut Map<String, Value>, schema: &Value) -> bool {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    members.retain(|name, member| {
        let known = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        let Some(known) = known else { return true };
        if fit(member, known) {
            return true;
        }
        let must_stay = required.contains(&name.as_str()) || name == DEADLINE;
        if is_time(known) && must_stay {
            *member = LAST_SECOND.into();
        }
        is_time(known) && must_stay
    });
    required.iter().all(|name| members.contains_key(*name))
}

fn is_time(schema: &Value) -> bool {
    schema["format"] == "date-time"
}
