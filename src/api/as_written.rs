//! Settings as somebody wrote them: no default filled in, nothing dropped.
//!
//! A default that the API server filled in could not be told from a value that a person chose, and no policy could then
//! stand behind a service's own fields. So the stored object holds what was written and nothing else; the defaults are those
//! of [`HealingSettings`], and the schema that is published tells them in words and writes them into its rules.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::schema::{rule_with_defaults, tell_defaults};
use super::settings::HealingSettings;

/// Some of the fields of [`HealingSettings`], as they were written. Fields that this version does not know are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AsWritten(pub Map<String, Value>);

impl AsWritten {
    /// All settings: what was written, and defaults for the rest.
    ///
    /// # Errors
    ///
    /// If a field has a value that the schema does not allow.
    pub fn settings(&self) -> Result<HealingSettings, serde_json::Error> {
        let mut written = Value::Object(self.0.clone());
        super::structural::drop_nulls(&mut written);
        serde_json::from_value(written)
    }
}

impl JsonSchema for AsWritten {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        HealingSettings::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = HealingSettings::json_schema(generator);
        if let Some(fields) = schema.as_object_mut() {
            tell_defaults(fields);
        }
        schema
    }
}

/// A rule on an object that holds settings, written as if their defaults were filled in.
pub(super) fn rule(text: &str) -> String {
    // Settings have no value that cannot be JSON; if they had, the rule would only miss the defaults.
    let defaults = serde_json::to_value(HealingSettings::default()).unwrap_or_default();
    rule_with_defaults(text, &defaults)
}
