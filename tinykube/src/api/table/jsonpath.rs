//! The part of `JSONPath` that columns use: members, indexes, `[*]` and filters for equality.

use serde_json::Value;

/// Every value at a path.
pub(super) fn find<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![object];
    let mut rest = path.trim_start_matches('$');
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = member_end(after);
            let name = after[..end].replace("\\.", ".");
            rest = &after[end..];
            if !name.is_empty() {
                found = found.into_iter().filter_map(|value| value.get(&name)).collect();
            }
        } else if let Some(after) = rest.strip_prefix('[') {
            let Some(end) = closing(after) else {
                return Vec::new();
            };
            let inside = &after[..end];
            rest = &after[end + 1..];
            found = found.into_iter().flat_map(|value| select(value, inside)).collect();
        } else {
            return Vec::new();
        }
    }
    found
}

fn member_end(text: &str) -> usize {
    let mut escaped = false;
    for (index, character) in text.char_indices() {
        match character {
            '\\' => escaped = true,
            '.' | '[' if !escaped => return index,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Where the bracket closes, not counting those inside quotes or nested ones.
fn closing(text: &str) -> Option<usize> {
    let (mut quote, mut depth) = (None, 0);
    for (index, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), character) if open == character => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(index),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn select<'a>(value: &'a Value, inside: &str) -> Vec<&'a Value> {
    if inside == "*" {
        return match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(members) => members.values().collect(),
            _ => Vec::new(),
        };
    }
    if let Some(filter) = inside.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        let items = value.as_array().into_iter().flatten();
        return items.filter(|item| holds(item, filter)).collect();
    }
    if let Ok(index) = inside.parse::<i64>() {
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let index = if index < 0 { length + index } else { index };
        return usize::try_from(index).ok().and_then(|index| items.get(index)).into_iter().collect();
    }
    value.get(inside.trim_matches(['"', '\''])).into_iter().collect()
}

fn holds(item: &Value, filter: &str) -> bool {
    let (left, right, equal) = match (filter.split_once("=="), filter.split_once("!=")) {
        (Some((left, right)), _) => (left, right, true),
        (None, Some((left, right))) => (left, right, false),
        (None, None) => return !find(item, filter.trim().trim_start_matches('@')).is_empty(),
    };
    let wanted = right.trim().trim_matches(['"', '\'']);
    let found = find(item, left.trim().trim_start_matches('@'));
    let shown = |value: &&Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let same = found.first().map(shown).is_some_and(|shown| shown == wanted);
    same == equal
}
