//! YAML as the real server writes it: keys sorted, lists not indented, texts plain where they can be.

use serde_json::Value;

/// Texts are broken at the first space after so many columns.
const WIDTH: usize = 80;

/// A value as a document.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => mapping(members, 0, &mut out),
        Value::Array(items) if !items.is_empty() => sequence(items, 0, &mut out),
        other => {
            scalar(other, 0, 0, &mut out);
            out.push('\n');
        }
    }
    out
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', depth));
}

fn mapping(members: &serde_json::Map<String, Value>, depth: usize, out: &mut String) {
    let mut keys: Vec<&String> = members.keys().collect();
    keys.sort();
    for (index, key) in keys.into_iter().enumerate() {
        if index > 0 {
            indent(depth, out);
        }
        let begin = out.len();
        scalar(&Value::String(key.clone()), depth, 0, out);
        out.push(':');
        let column = depth + out.len() - begin;
        match &members[key] {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                indent(depth + 2, out);
                mapping(inner, depth + 2, out);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                indent(depth, out);
                sequence(items, depth, out);
            }
            other => {
                out.push(' ');
                scalar(other, depth + 2, column + 1, out);
                out.push('\n');
            }
        }
    }
}

fn sequence(items: &[Value], depth: usize, out: &mut String) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            indent(depth, out);
        }
        out.push_str("- ");
        match item {
            Value::Object(inner) if !inner.is_empty() => mapping(inner, depth + 2, out),
            Value::Array(inner) if !inner.is_empty() => sequence(inner, depth + 2, out),
            other => {
                scalar(other, depth + 2, depth + 2, out);
                out.push('\n');
            }
        }
    }
}

/// What is no list and no mapping, or an empty one. Further lines of a text begin at `depth`.
fn scalar(value: &Value, depth: usize, column: usize, out: &mut String) {
    match value {
        Value::String(text) => string(text, depth, column, out),
        other => out.push_str(&other.to_string()),
    }
}

fn string(text: &str, depth: usize, column: usize, out: &mut String) {
    if text.contains('\n') && !text.chars().any(|c| c.is_control() && c != '\n') {
        let kept = if text.ends_with('\n') { "" } else { "-" };
        out.push('|');
        out.push_str(kept);
        for line in text.trim_end_matches('\n').split('\n') {
            out.push('\n');
            if !line.is_empty() {
                indent(depth, out);
                out.push_str(line);
            }
        }
    } else if is_another_type(text) || text.chars().any(char::is_control) {
        // JSON's texts are YAML's, too.
        out.push_str(&Value::String(text.to_owned()).to_string());
    } else if can_be_plain(text) {
        folded(text, depth, column, out);
    } else {
        out.push('\'');
        folded(&text.replace('\'', "''"), depth, column + 1, out);
        out.push('\'');
    }
}

fn folded(text: &str, depth: usize, mut column: usize, out: &mut String) {
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == ' ' && column > WIDTH && characters.peek().is_some_and(|next| *next != ' ') {
            out.push('\n');
            indent(depth, out);
            column = depth;
        } else {
            out.push(character);
            column += 1;
        }
    }
}

/// Whether a reader would take a plain text for something else.
fn is_another_type(text: &str) -> bool {
    const WORDS: [&str; 12] = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<"];
    let lower = text.to_lowercase();
    let is_number = || {
        let digits = text.replace('_', "");
        let unsigned = digits.trim_start_matches(['-', '+']);
        let starts = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        starts && (digits.parse::<f64>().is_ok() || ["0x", "0o", "0b"].iter().any(|base| unsigned.starts_with(base)))
    };
    let is_date = || {
        let bytes = text.as_bytes();
        bytes.len() >= 10 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-' && bytes[7] == b'-'
    };
    WORDS.contains(&lower.as_str()) || is_number() || is_date()
}

fn can_be_plain(text: &str) -> bool {
    let first = text.chars().next().unwrap_or(' ');
    let second = text.chars().nth(1).unwrap_or(' ');
    let indicator = "#,[]{}&*!|>'\"%@`".contains(first) || ("-?:".contains(first) && second == ' ');
    !indicator
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.ends_with(':')
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("---")
}
