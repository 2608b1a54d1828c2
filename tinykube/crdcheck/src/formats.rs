//! Formats of values that the server knows; it takes any other, says so, and does not check it.

use serde_json::Value;

/// Formats of texts, without hyphens: the server overlooks those.
const OF_TEXTS: [&str; 26] = [
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "datetime",
    "duration",
    "email",
    "hexcolor",
    "hostname",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "k8slongname",
    "k8sshortname",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
];

/// Members of a schema that are schemas.
const SCHEMAS: [&str; 4] = ["items", "additionalProperties", "additionalItems", "not"];
/// Members that are maps of schemas.
const MAPS: [&str; 4] = ["properties", "patternProperties", "definitions", "dependencies"];
/// Members that are lists of schemas.
const LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Formats in the schemas of all versions that the server does not know, each once.
pub(crate) fn unknown(definition: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for version in definition["spec"]["versions"].as_array().into_iter().flatten() {
        collect(&version["schema"]["openAPIV3Schema"], &mut found);
    }
    found
}

fn collect(schema: &Value, found: &mut Vec<String>) {
    if !schema.is_object() {
        return;
    }
    let (kind, format) = (schema["type"].as_str().unwrap_or_default(), schema["format"].as_str().unwrap_or_default());
    if !is_known(kind, format) && !found.iter().any(|known| known == format) {
        found.push(format.to_owned());
    }
    for part in SCHEMAS.iter().map(|key| &schema[*key]) {
        collect(part, found);
    }
    for part in MAPS.iter().filter_map(|key| schema[*key].as_object()).flat_map(serde_json::Map::values) {
        collect(part, found);
    }
    for part in LISTS.iter().filter_map(|key| schema[*key].as_array()).flatten() {
        collect(part, found);
    }
}

fn is_known(kind: &str, format: &str) -> bool {
    match kind {
        _ if format.is_empty() => true,
        "" | "string" => OF_TEXTS.contains(&format.replace('-', "").as_str()),
        "integer" => matches!(format, "int32" | "int64"),
        "number" => matches!(format, "float" | "double"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_format_is_known_for_its_type() {
        for (kind, format, known) in [
            ("string", "date-time", true),
            ("string", "datetime", true),
            ("string", "k8s-short-name", true),
            ("string", "", true),
            ("", "uri", true),
            ("string", "int32", false),
            ("integer", "int64", true),
            ("integer", "uint32", false),
            ("number", "double", true),
            ("number", "int32", false),
            ("boolean", "date", false),
        ] {
            assert_eq!(is_known(kind, format), known, "{kind} {format}");
        }
    }

    #[test]
    fn formats_are_found_wherever_a_schema_may_be_and_said_once() {
        let odd = json!({"type": "integer", "format": "uint8"});
        for schema in [
            json!({"properties": {"a": {"items": odd}}}),
            json!({"additionalProperties": odd}),
            json!({"anyOf": [odd, {"not": odd}]}),
            json!({"properties": {"a": odd, "b": odd}}),
        ] {
            let definition = json!({"spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}});
            assert_eq!(unknown(&definition), ["uint8"], "{definition}");
        }
        let of_a_property = json!({"spec": {"versions": [{"schema": {"openAPIV3Schema": {
            "properties": {"format": {"type": "string"}},
        }}}]}});
        assert_eq!(unknown(&of_a_property), Vec::<String>::new());
    }
}
