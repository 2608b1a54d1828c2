//! YAML with line numbers: a problem in a file is told by the line on which it stands.

use std::{fmt, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;

use crate::failure::Failure;

/// Reads a file's text into a type. A problem names the line.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Failure> {
    // The snippet that the parser can draw does not fit into one line.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map(|location| location.line());
        at(path, line, error_text(&error))
    })
}

/// A problem in a file, on a line if that is known.
pub(crate) fn at(path: &Path, line: Option<u64>, problem: impl fmt::Display) -> Failure {
    match line {
        Some(line) if line > 0 => Failure::input(format!("{}:{line}: {problem}", path.display())),
        _ => Failure::input(format!("{}: {problem}", path.display())),
    }
}

/// The error without its position, which stands in front already.
fn error_text(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    let text = text.strip_prefix("error: ").unwrap_or(text);
    match text.rfind(" at line ") {
        Some(cut) => text.get(..cut).unwrap_or(text).to_owned(),
        None => text.to_owned(),
    }
}

/// The lines on which the fields of a document stand.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    root: Branch,
}

#[derive(Debug, Default)]
enum Branch {
    #[default]
    Leaf,
    List(Vec<Spanned<Branch>>),
    Map(Vec<(Spanned<String>, Branch)>),
}

impl Lines {
    /// Of a document that was read before; one that is no YAML has no lines.
    pub(crate) fn of(text: &str) -> Self {
        Self { root: serde_saphyr::from_str(text).unwrap_or_default() }
    }

    /// The line of a field such as `spec.alerts.receivers[0].url`, or of the nearest one around it that is there.
    pub(crate) fn line(&self, path: &str) -> Option<u64> {
        let mut line = None;
        let mut branch = &self.root;
        for step in path.split(['.', '[']).map(|step| step.trim_end_matches(']')) {
            let next = match branch {
                Branch::Leaf => None,
                Branch::List(items) => {
                    let item = step.parse::<usize>().ok().and_then(|index| items.get(index));
                    item.map(|item| (item.referenced.line(), &item.value))
                }
                Branch::Map(fields) => {
                    let field = fields.iter().find(|(key, _)| key.value == step);
                    field.map(|(key, value)| (key.referenced.line(), value))
                }
            };
            let Some((at, inner)) = next else { break };
            (line, branch) = (Some(at), inner);
        }
        line
    }
}

impl<'de> Deserialize<'de> for Branch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BranchVisitor)
    }
}

struct BranchVisitor;

impl<'de> Visitor<'de> for BranchVisitor {
    type Value = Branch;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any YAML")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Branch, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Branch::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Branch, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = map.next_entry()? {
            fields.push(entry);
        }
        Ok(Branch::Map(fields))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Branch, E> {
        Ok(Branch::Leaf)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Branch, E> {
        Ok(Branch::Leaf)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Branch, E> {
        Ok(Branch::Leaf)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Branch, E> {
        Ok(Branch::Leaf)
    }

    fn visit_str<E>(self, _: &str) -> Result<Branch, E> {
        Ok(Branch::Leaf)
    }

    fn visit_unit<E>(self) -> Result<Branch, E> {
        Ok(Branch::Leaf)
    }

    fn visit_none<E>(self) -> Result<Branch, E> {
        Ok(Branch::Leaf)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Branch, D::Error> {
        IgnoredAny::deserialize(inner).map(|_| Branch::Leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_of_a_field_or_of_what_is_around_it() {
        let lines = Lines::of("spec:\n  list:\n  - name: a\n  - name: b\n    deep: {x: 1}\n  on: true\n");
        assert_eq!(lines.line("spec.list[1].deep"), Some(5));
        assert_eq!(lines.line("spec.list[1].deep.missing"), Some(5));
        assert_eq!(lines.line("spec.on"), Some(6));
        assert_eq!(lines.line("nothing"), None);
    }
}
