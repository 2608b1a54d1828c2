//! Paths to fields, such as `.spec.names['a']`, in a schema.

use serde_json::Value;

/// The schema a path leads to, and the path in its simplest form.
///
/// # Errors
/// Why it leads nowhere, in the words of the server.
pub(crate) fn find<'a>(schema: &'a Value, path: &str, with_brackets: bool) -> Result<(&'a Value, String), String> {
    let mut schema = schema;
    let mut simple = String::new();
    let mut tokens = tokens(path).into_iter();
    while let Some(token) = tokens.next() {
        let end = || "unexpected end of JSON path".to_owned();
        let name = match token.as_str() {
            "." => tokens.next().ok_or_else(end)?,
            "[" if !with_brackets => return Err("array notation is not allowed".to_owned()),
            "[" => {
                let quoted = tokens.next().ok_or_else(end)?;
                let inner = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
                let inner = inner.ok_or_else(|| format!("expected single quoted string but got {quoted}"))?;
                let name = inner.replace("\\'", "'").replace("\\\\", "\\");
                match tokens.next() {
                    Some(close) if close == "]" => name,
                    Some(other) => return Err(format!("expected ] but got {other}")),
                    None => return Err(end()),
                }
            }
            other => return Err(format!("expected [ or . but got: {other}")),
        };
        let properties = schema["properties"].as_object().filter(|properties| !properties.is_empty());
        schema = match (properties, &schema["additionalProperties"]) {
            (Some(properties), _) => properties.get(&name),
            (None, additional) if additional.is_object() => Some(additional),
            _ => None,
        }
        .ok_or("does not refer to a valid field")?;
        simple.push('.');
        simple.push_str(&name);
    }
    Ok((schema, simple))
}

/// Dots, brackets and what is between them; what is in quotes stays together.
fn tokens(path: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut open = String::new();
    let mut is_quoted = false;
    for character in path.chars() {
        if is_quoted {
            let escaped = open.ends_with('\\');
            open.push(character);
            if character == '\'' && !escaped {
                is_quoted = false;
                tokens.push(std::mem::take(&mut open));
            }
            continue;
        }
        match character {
            '.' | '[' | ']' => {
                if !open.is_empty() {
                    tokens.push(std::mem::take(&mut open));
                }
                tokens.push(character.to_string());
            }
            '\'' if open.is_empty() => {
                is_quoted = true;
                open.push(character);
            }
            other => open.push(other),
        }
    }
    if !open.is_empty() {
        tokens.push(open);
    }
    tokens
}
