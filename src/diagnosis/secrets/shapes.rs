//! Secrets that can be told by their own form: the table `shapes.txt`.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

use super::compiled;

const TABLE: &str = include_str!("shapes.txt");

/// A row of the table.
struct Shape {
    /// What is put where the pattern matched, with `***` for the secret.
    stays: &'static str,
    pattern: Regex,
}

static SHAPES: LazyLock<Vec<Shape>> =
    LazyLock::new(|| rows().filter_map(|(_, stays, pattern)| shape(stays, pattern)).collect());

/// Name, what stays, and pattern of each row.
fn rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut columns = line.splitn(3, '|').map(str::trim);
        Some((columns.next()?, columns.next()?, columns.next()?))
    })
}

fn shape(stays: &'static str, pattern: &str) -> Option<Shape> {
    Some(Shape { stays, pattern: compiled(pattern)? })
}

/// The text without what can be told by its form.
pub(super) fn without_shapes(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for shape in SHAPES.iter() {
        if let Cow::Owned(changed) = shape.pattern.replace_all(&text, shape.stays) {
            text = Cow::Owned(changed);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_whole_and_compiles() {
        let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
        assert_eq!(rows().count(), lines);
        assert_eq!(SHAPES.len(), lines);
        assert_eq!(rows().map(|(name, ..)| name).collect::<BTreeSet<_>>().len(), lines, "a name is given once");
        for (name, stays, _) in rows() {
            assert!(stays.contains(super::super::MASK) || stays == "[private key]", "{name}");
        }
    }
}
