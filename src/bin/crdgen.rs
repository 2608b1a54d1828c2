//! Writes the CRDs that `kubeheal::api` defines to `crds/`, and to the Helm chart, which cannot read files outside of itself.
//!
//! `crdgen [DIR]…` writes; `crdgen --check [DIR]…` writes nothing and fails if a file is not what it would write. What an API
//! server would refuse, because a rule is wrong or could cost too much, is not written: it says so in the server's words.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use kubeheal::api::{self, Manifest};
use serde_json::Value;

#[derive(Parser)]
#[command(about = "Generate the CustomResourceDefinitions of kubeheal")]
struct Arguments {
    /// Fail if a file differs from what would be written, and write nothing.
    #[arg(long)]
    check: bool,

    /// Directories of the files.
    #[arg(default_values = ["crds", "charts/kubeheal/files/crds"])]
    directories: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("crdgen: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    for definition in api::crds() {
        let name = definition.metadata.name.clone().unwrap_or_default();
        let definition = serde_json::to_value(definition).map_err(|error| format!("reading {name}: {error}"))?;
        would_be_taken(&name, &definition)?;
    }
    for manifest in api::manifests().map_err(|error| error.to_string())? {
        for directory in &arguments.directories {
            let path = directory.join(&manifest.file_name);
            if arguments.check {
                check(&path, &manifest)?;
            } else {
                let failed = |error| format!("writing {}: {error}", path.display());
                std::fs::write(&path, &manifest.content).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// Whether an API server would take a definition.
fn would_be_taken(name: &str, definition: &Value) -> Result<(), String> {
    // Defaults are tried in the tests, where there is a server.
    let problems = crdcheck::problems(definition, &|_, _| Vec::new());
    if problems.is_empty() {
        return Ok(());
    }
    let said = problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message));
    Err(format!("an API server would refuse {name}: {}", said.collect::<Vec<_>>().join("\n")))
}

fn check(path: &Path, manifest: &Manifest) -> Result<(), String> {
    let found = std::fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
    if found == manifest.content {
        Ok(())
    } else {
        Err(format!("{} is out of date: run `cargo run --bin crdgen`", path.display()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    #[test]
    fn a_definition_beyond_the_budget_is_refused_in_the_words_of_the_server() {
        let definition = api::crds().into_iter().next().unwrap();
        let mut definition = serde_json::to_value(definition).unwrap();
        assert_eq!(would_be_taken("ours", &definition), Ok(()));
        let spec = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        spec["properties"]["n"] = serde_json::json!({"type": "integer"});
        spec["x-kubernetes-validations"] =
            serde_json::json!([{"rule": "self.n > 0", "messageExpression": "'not ' + string(self.n)"}]);
        let said = would_be_taken("ours", &definition).unwrap_err();
        let budget = "estimated messageExpression cost exceeds budget by factor of more than 100x";
        assert!(said.starts_with("an API server would refuse ours: ") && said.contains(budget), "{said}");
    }
}
