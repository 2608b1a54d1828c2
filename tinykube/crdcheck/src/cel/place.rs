//! Where in a rule something stands, as errors show it.

/// An error with its line, and a mark below its place. Lines and columns begin at 1.
pub(super) fn shown(source: &str, (line, column): (isize, isize), message: &str) -> String {
    let text = usize::try_from(line - 1).ok().and_then(|line| source.lines().nth(line)).unwrap_or_default();
    let dots = ".".repeat(usize::try_from(column - 1).unwrap_or_default());
    format!("ERROR: <input>:{line}:{column}: {message}\n | {text}\n | {dots}^")
}

/// Where a word of a rule stands outside of texts: the first one at or after `from`. The parser does not tell.
pub(super) fn find(source: &str, word: &str, from: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    let mut quote = None;
    let mut index = 0;
    while index < bytes.len() {
        let byte = bytes[index];
        match quote {
            Some(_) if byte == b'\\' => index += 1,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if byte == b'\'' || byte == b'"' => quote = Some(byte),
            None if index >= from && is_word_at(source, word, index) => return Some(index),
            None => {}
        }
        index += 1;
    }
    None
}

fn is_word_at(source: &str, word: &str, index: usize) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let Some(rest) = source.get(index..).and_then(|rest| rest.strip_prefix(word)) else { return false };
    if !word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return true;
    }
    let before = index.checked_sub(1).and_then(|before| source.as_bytes().get(before));
    !is_part(before) && !is_part(rest.as_bytes().first())
}

/// Line and column of an index.
pub(super) fn position(source: &str, index: usize) -> (isize, isize) {
    let before = source.get(..index).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (isize::try_from(line).unwrap_or(1), isize::try_from(column).unwrap_or(1))
}
