//! Running the binary.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What a command printed and how it ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }

    /// It failed with this code, and said why in one line.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, saying: &str) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert_eq!(self.err.trim_end().lines().count(), 1, "one line: {}", self.err);
        assert!(self.err.contains(saying), "{:?} is not in: {}", saying, self.err);
    }
}

pub(crate) fn healctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_healctl"));
    command.env_remove("KUBECONFIG").env_remove("RUST_LOG").env("NO_COLOR", "1");
    command
}

pub(crate) fn run(arguments: &[&str]) -> Ran {
    Ran::of(healctl().args(arguments))
}

/// A file in a directory for this test.
pub(crate) fn file(directory: &tempfile::TempDir, name: &str, content: &str) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
