//! What is wrong with a schema: what it must not say, lists and maps, rules, and what the rules cost in sum.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::cel::{self, Decl, Wanted};
use crate::field_path;
use crate::problem::Problem;
use crate::structural;

/// What one rule may cost, on everything an object can hold.
const RULE_LIMIT: u64 = 10_000_000;
/// What all rules of a schema may cost.
const SCHEMA_LIMIT: u64 = 100_000_000;
/// So many of the most expensive rules are named.
const NAMED: usize = 4;
const RULES: &str = "x-kubernetes-validations";

/// Everything wrong with a schema at `path`. `defaults` says what is wrong with the defaults of a structural schema.
pub(crate) fn problems(schema: &Value, path: &str, defaults: &crate::Defaults<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    if schema["nullable"] == true {
        found.push(Problem::forbidden(format!("{path}.nullable"), "nullable cannot be true at the root"));
    }
    let mut is_structural = structural::is_convertible(schema);
    if is_structural {
        let mut wrong = structural::problems(schema, path);
        if wrong.is_empty() {
            wrong = defaults(schema, path);
        }
        is_structural = wrong.is_empty();
        found.extend(wrong);
    }
    let mut walk = Walk { total: 0, expensive: Vec::new() };
    let within = Within { is_root: true, cardinality: Some(1), ..Within::default() };
    let (wrong, rules) = walk.visit(schema, path, &within, is_structural);
    found.extend(wrong);
    found.extend(rules);
    found.extend(walk.costs(path));
    found
}

/// Where in a schema one is.
#[derive(Clone, Default)]
struct Within {
    is_root: bool,
    /// How often it can be in an object, if that has a bound.
    cardinality: Option<u64>,
    /// Why no defaults may be here.
    no_defaults: Option<String>,
    is_metadata: bool,
    /// Where old and new values cannot be told to belong together.
    uncorrelated: Option<String>,
}

struct Walk {
    total: u64,
    expensive: Vec<(u64, String)>,
}

impl Walk {
    /// What is wrong with the schema, and with its rules where they can be compiled.
    fn visit(&mut self, schema: &Value, path: &str, within: &Within, compiles: bool) -> (Vec<Problem>, Vec<Problem>) {
        let (mut found, mut rules) = (standard(schema, path, within), Vec::new());
        let is_resource = within.is_root || schema["x-kubernetes-embedded-resource"] == true;
        if schema["uniqueItems"] == true {
            let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            found.push(Problem::forbidden(format!("{path}.uniqueItems"), why));
        }
        let properties = schema["properties"].as_object();
        let additional = &schema["additionalProperties"];
        let has_properties = properties.is_some_and(|properties| !properties.is_empty());
        if has_properties && (additional.is_object() || *additional == false) {
            let why = "additionalProperties and properties are mutual exclusive";
            found.push(Problem::forbidden(format!("{path}.additionalProperties"), why));
        }
        let cardinality = within.cardinality.zip(most(schema)).map(|(own, more)| own.saturating_mul(more));
        for (key, part) in structural::parts(schema) {
            let mut inner = Within { is_root: false, cardinality, ..within.clone() };
            let place = format!("{path}.{key}");
            let is_value = key == "items" || key == "additionalProperties" || key.starts_with("properties[");
            match key.as_str() {
                "additionalProperties" if within.is_metadata => {
                    inner.no_defaults = Some("inside additionalProperties applying to object metadata".to_owned());
                }
                "items" if schema["x-kubernetes-list-type"] != "map" => {
                    inner.uncorrelated.get_or_insert_with(|| path.to_owned());
                }
                _ => {}
            }
            if let Some(name) = key.strip_prefix("properties[").and_then(|rest| rest.strip_suffix(']')) {
                if schema["x-kubernetes-map-type"] == "atomic" {
                    inner.uncorrelated.get_or_insert_with(|| path.to_owned());
                }
                if is_resource && matches!(name, "metadata" | "kind" | "apiVersion") {
                    inner.is_metadata = true;
                    if within.is_root {
                        inner.no_defaults = Some(format!("in top-level {name}"));
                    }
                }
            }
            let (wrong, of_rules) = self.visit(part, &place, &inner, compiles && is_value);
            found.extend(wrong);
            rules.extend(of_rules);
        }
        for (name, part) in schema["definitions"].as_object().into_iter().flatten() {
            let (wrong, _) = self.visit(part, &format!("{path}.definitions[{name}]"), within, false);
            found.extend(wrong);
        }
        lists_and_maps(schema, path, &mut found);
        for (index, rule) in schema[RULES].as_array().into_iter().flatten().enumerate() {
            found.extend(of_rule(schema, rule, &format!("{path}.{RULES}[{index}]")));
        }
        if let (true, Some(list)) = (found.is_empty() && compiles, schema[RULES].as_array())
            && let Some(decl) = Decl::of(schema, is_resource)
        {
            for (index, rule) in list.iter().enumerate() {
                let place = format!("{path}.{RULES}[{index}]");
                rules.extend(self.compile(rule, &place, within, &decl));
            }
        }
        (found, rules)
    }

    /// What is wrong with one rule.
    fn compile(&mut self, rule: &Value, path: &str, within: &Within, decl: &Rc<Decl>) -> Vec<Problem> {
        let mut found = Vec::new();
        let place = format!("{path}.rule");
        let source = rule["rule"].as_str().unwrap_or_default();
        let compiled = cel::compile(source, decl, rule, Wanted::Rule);
        let uses_old_self = match compiled {
            Err(why) => {
                found.push(Problem::invalid(place.as_str(), &as_declared(rule), &why));
                false
            }
            Ok(compiled) => {
                let times = within.cardinality.unwrap_or(cel_cardinality(decl.least_bytes));
                let cost = if compiled.cost == 0 { 0 } else { compiled.cost.saturating_mul(times) };
                found.extend(self.spend("estimated rule cost", &place, cost));
                found.extend(self.message(rule, path, decl));
                compiled.uses_old_self
            }
        };
        match (&within.uncorrelated, uses_old_self) {
            (Some(around), true) => {
                let why = format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {around}");
                found.push(Problem::invalid(place, &json!(source), &why));
            }
            (_, false) if rule["optionalOldSelf"].is_boolean() => {
                let why = "may not be set if oldSelf is not used in rule";
                found.push(Problem::invalid(format!("{path}.optionalOldSelf"), &rule["optionalOldSelf"], why));
            }
            _ => {}
        }
        found
    }

    fn message(&mut self, rule: &Value, path: &str, decl: &Rc<Decl>) -> Vec<Problem> {
        let Some(source) = rule["messageExpression"].as_str().filter(|source| !source.is_empty()) else {
            return Vec::new();
        };
        let place = format!("{path}.messageExpression");
        match cel::compile(source, decl, rule, Wanted::Message) {
            Err(why) => vec![Problem::invalid(place, &as_declared(rule), &why)],
            Ok(compiled) => self.spend("estimated messageExpression cost", &place, compiled.cost).into_iter().collect(),
        }
    }

    /// Counts a cost; the problem if it is too high by itself.
    fn spend(&mut self, what: &str, place: &str, cost: u64) -> Option<Problem> {
        self.total = self.total.saturating_add(cost);
        if cost >= SCHEMA_LIMIT / 100 {
            self.expensive.push((cost, place.to_owned()));
            self.expensive.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
            self.expensive.truncate(NAMED);
        }
        (cost > RULE_LIMIT).then(|| Problem::forbidden(place, &exceeds(what, cost, RULE_LIMIT)))
    }

    /// What is wrong with the sum.
    fn costs(&self, path: &str) -> Vec<Problem> {
        if self.total <= SCHEMA_LIMIT {
            return Vec::new();
        }
        let why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
        let mut found: Vec<Problem> = self.expensive.iter().map(|(_, place)| Problem::forbidden(place, why)).collect();
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        found.push(Problem::forbidden(path, &exceeds(what, self.total, SCHEMA_LIMIT)));
        found
    }
}

/// How often something of this size can be in one request.
fn cel_cardinality(least_bytes: u64) -> u64 {
    cel::MOST_BYTES / (least_bytes + 1)
}

fn exceeds(what: &str, cost: u64, limit: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let factor = cost as f64 / limit as f64;
    let factor = if factor > 100.0 {
        "more than 100x".to_owned()
    } else if factor < 1.5 {
        format!("{factor:.6}x")
    } else {
        format!("{factor:.1}x")
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and \
         maxLength where arrays, maps, and strings are declared)"
    )
}

/// A rule as the server shows it.
fn as_declared(rule: &Value) -> Value {
    let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
    // Members keep their order.
    let mut shown = serde_json::Map::new();
    shown.insert("Rule".to_owned(), text("rule").into());
    shown.insert("Message".to_owned(), text("message").into());
    shown.insert("MessageExpression".to_owned(), text("messageExpression").into());
    shown.insert("Reason".to_owned(), rule["reason"].clone());
    shown.insert("FieldPath".to_owned(), text("fieldPath").into());
    shown.insert("OptionalOldSelf".to_owned(), rule["optionalOldSelf"].clone());
    shown.into()
}

/// By how much a schema multiplies what is in it; `None` without a bound.
fn most(schema: &Value) -> Option<u64> {
    match schema["type"].as_str() {
        Some("object") if schema.get("additionalProperties").is_some() => schema["maxProperties"].as_u64(),
        Some("array") => schema["maxItems"].as_u64(),
        _ => Some(1),
    }
}

/// What no schema of a custom resource may say.
fn standard(schema: &Value, path: &str, within: &Within) -> Vec<Problem> {
    const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
    let mut found = Vec::new();
    let kind = schema["type"].as_str().unwrap_or_default();
    if !kind.is_empty() && !TYPES.contains(&kind) {
        found.push(Problem::unsupported(format!("{path}.type"), kind, &TYPES));
    }
    if let (Some(reason), Some(_)) = (&within.no_defaults, schema.get("default")) {
        found.push(Problem::forbidden(format!("{path}.default"), &format!("must not be set {reason}")));
    }
    for key in ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] {
        if schema.get(key).is_some_and(|value| !value.is_null()) {
            found.push(Problem::forbidden(format!("{path}.{key}"), &format!("{key} is not supported")));
        }
    }
    if kind == "null" {
        let why = "type cannot be set to null, use nullable as an alternative";
        found.push(Problem::forbidden(format!("{path}.type"), why));
    }
    if schema["items"].is_array() {
        found.push(Problem::forbidden(format!("{path}.items"), "items must be a schema object and not an array"));
    }
    if within.is_metadata && schema["x-kubernetes-embedded-resource"] == true {
        let why = "must not be used inside of resource meta";
        found.push(Problem::forbidden(format!("{path}.x-kubernetes-embedded-resource"), why));
    }
    found
}

/// A type that another member asks for.
fn asked_type(schema: &Value, path: &str, wanted: &str, by: &str) -> Option<Problem> {
    let (kind, place) = (schema["type"].as_str().unwrap_or_default(), format!("{path}.type"));
    let why = format!("must be {wanted} if {by} is specified");
    match kind {
        _ if kind == wanted => None,
        "" => Some(Problem::required(place, &why)),
        other => Some(Problem::invalid(place, &json!(other), &why)),
    }
}

fn lists_and_maps(schema: &Value, path: &str, found: &mut Vec<Problem>) {
    let key = "x-kubernetes-preserve-unknown-fields";
    if schema[key] == false {
        found.push(Problem::invalid(format!("{path}.{key}"), &json!(false), "must be true or undefined"));
    }
    let key = "x-kubernetes-map-type";
    if let Some(kind) = schema[key].as_str() {
        found.extend(asked_type(schema, path, "object", key));
        if !matches!(kind, "atomic" | "granular") {
            found.push(Problem::unsupported(format!("{path}.{key}"), kind, &["atomic", "granular"]));
        }
    }
    let key = "x-kubernetes-list-type";
    let list = schema[key].as_str();
    let item = &schema["items"];
    if list.is_some() && schema["type"] != "array" {
        found.extend(asked_type(schema, path, "array", key));
    } else if list == Some("set") {
        let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let inner = item["x-kubernetes-list-type"].as_str();
        match item["type"].as_str() {
            Some("array") if inner.is_some_and(|inner| inner != "atomic") => {
                found.push(Problem::invalid(format!("{path}.items.{key}"), &json!(inner), why));
            }
            Some("object") if item["x-kubernetes-map-type"] != "atomic" => {
                found.push(Problem::invalid(format!("{path}.items.x-kubernetes-map-type"), &json!(inner), why));
            }
            _ => {}
        }
    }
    if let Some(kind) = list.filter(|kind| !matches!(*kind, "atomic" | "set" | "map")) {
        found.push(Problem::unsupported(format!("{path}.{key}"), kind, &["atomic", "set", "map"]));
    }
    map_lists(schema, path, found);
}

fn map_lists(schema: &Value, path: &str, found: &mut Vec<Problem>) {
    let list = schema["x-kubernetes-list-type"].as_str();
    let keys = schema["x-kubernetes-list-map-keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
    let (item, place) = (&schema["items"], format!("{path}.x-kubernetes-list-map-keys"));
    if !names.is_empty() {
        let (place, why) =
            (format!("{path}.x-kubernetes-list-type"), "must be map if x-kubernetes-list-map-keys is non-empty");
        match list {
            None => found.push(Problem::required(place, why)),
            Some("map") => {}
            Some(other) => found.push(Problem::invalid(place, &json!(other), why)),
        }
    }
    if list == Some("map") {
        if names.is_empty() {
            found.push(Problem::required(place.as_str(), "must not be empty if x-kubernetes-list-type is map"));
        }
        if item.is_null() {
            let why = "must have a schema if x-kubernetes-list-type is map";
            found.push(Problem::required(format!("{path}.items"), why));
        } else if item.is_object() && item["type"] != "object" {
            let (kind, why) = (
                item["type"].as_str().unwrap_or_default(),
                "must be object if parent array's x-kubernetes-list-type is map",
            );
            found.push(Problem::invalid(format!("{path}.items.type"), &json!(kind), why));
        } else {
            for (index, name) in names.iter().enumerate() {
                match item["properties"].get(name).map(|property| property["type"].as_str().unwrap_or_default()) {
                    Some("array" | "object") => {
                        let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                        let place = format!("{path}.items.properties[{name}].type");
                        found.push(Problem::invalid(place, &item["type"], why));
                    }
                    Some(_) => {}
                    None => {
                        let why = "entries must all be names of item properties";
                        found.push(Problem::invalid(place.as_str(), &json!(names), why));
                    }
                }
                if names[..index].contains(name) {
                    let why = "must not contain duplicate entries";
                    found.push(Problem::invalid(place.as_str(), &json!(names), why));
                }
            }
        }
    }
    if !item.is_object() || !matches!(list, Some("map" | "set")) {
        return;
    }
    if item["nullable"] == true {
        let why = format!("cannot be nullable when x-kubernetes-list-type is {}", list.unwrap_or_default());
        found.push(Problem::forbidden(format!("{path}.items.nullable"), &why));
    }
    for name in names.iter().filter(|_| list == Some("map")) {
        let Some(property) = item["properties"].get(name) else { continue };
        let place = format!("{path}.items.properties[{name}]");
        let is_required = item["required"].as_array().is_some_and(|required| required.iter().any(|key| key == name));
        if !is_required && property.get("default").is_none() {
            let why =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            found.push(Problem::required(format!("{place}.default"), why));
        }
        if property["nullable"] == true {
            let why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            found.push(Problem::forbidden(format!("{place}.nullable"), why));
        }
    }
}

/// What is wrong with a rule but for its expressions.
fn of_rule(schema: &Value, rule: &Value, path: &str) -> Vec<Problem> {
    const REASONS: [&str; 4] =
        ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
    let text = |key: &str| rule[key].as_str().unwrap_or_default();
    let has_lines = |text: &str| text.contains(['\n', '\r']);
    let (source, message, field) = (text("rule"), text("message"), text("fieldPath"));
    let mut found = Vec::new();
    let at = |key: &str| format!("{path}.{key}");
    if source.trim().is_empty() {
        found.push(Problem::required(at("rule"), "rule is not specified"));
    } else if !message.is_empty() && message.trim().is_empty() {
        found.push(Problem::invalid(at("message"), &json!(message), "must be non-empty if specified"));
    } else if has_lines(message.trim()) {
        found.push(Problem::invalid(at("message"), &json!(message), "must not contain line breaks"));
    } else if has_lines(source.trim()) && message.trim().is_empty() {
        found.push(Problem::required(at("message"), "message must be specified if rule contains line breaks"));
    }
    let expression = text("messageExpression");
    if !expression.is_empty() && expression.trim().is_empty() {
        let why = "messageExpression must be non-empty if specified";
        found.push(Problem::required(at("messageExpression"), why));
    }
    if let Some(reason) = rule["reason"].as_str().filter(|reason| !REASONS.contains(reason)) {
        found.push(Problem::unsupported(at("reason"), reason, &REASONS));
    }
    if !field.is_empty() && field.trim().is_empty() {
        found.push(Problem::invalid(at("fieldPath"), &json!(field), "must be non-empty if specified"));
    }
    if has_lines(field) {
        found.push(Problem::invalid(at("fieldPath"), &json!(field), "must not contain line breaks"));
    }
    if !field.is_empty() && structural::is_convertible(schema) && field_path::find(schema, field, true).is_err() {
        found.push(Problem::invalid(at("fieldPath"), &json!(field), "must be a valid path"));
    }
    found
}
