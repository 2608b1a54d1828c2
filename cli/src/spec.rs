//! A `HealedService` from a file, checked as strictly as the API server and a careful reader would.

use std::path::Path;

use kubeheal::api::{Document, HealedService, lint};

use crate::{
    failure::Failure,
    yaml::{Lines, at},
};

/// Reads and checks one. All problems are told in one line, the first by its line in the file.
pub(crate) fn read(path: &Path) -> Result<HealedService, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?;
    check(path, &text)
}

fn check(path: &Path, text: &str) -> Result<HealedService, Failure> {
    // A file that is no YAML is told by its line before anything else is looked at.
    let _any: serde_json::Value = crate::yaml::read(path, text)?;
    let lines = Lines::of(text);
    let document = lint(text).map_err(|problems| {
        let first = problems.first().and_then(|problem| lines.line(&problem.path));
        let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
        at(path, first, all.join("; "))
    })?;
    match document {
        Document::HealedService(service) => Ok(*service),
        Document::HealingPolicy(_) | Document::ClusterHealingPolicy(_) => {
            Err(at(path, lines.line("kind"), "kind: must be HealedService".to_owned()))
        }
    }
}
