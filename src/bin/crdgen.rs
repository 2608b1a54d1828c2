//! Writes the CRDs that `kubeheal::api` defines to `crds/`, and to the Helm chart, which cannot read files outside of itself.
//!
//! `crdgen [DIR]…` writes; `crdgen --check [DIR]…` writes nothing and fails if a file is not what it would write.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use kubeheal::api::{self, Manifest};

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

fn check(path: &Path, manifest: &Manifest) -> Result<(), String> {
    let found = std::fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
    if found == manifest.content {
        Ok(())
    } else {
        Err(format!("{} is out of date: run `cargo run --bin crdgen`", path.display()))
    }
}
