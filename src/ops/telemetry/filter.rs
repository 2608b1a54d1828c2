//! The log filter in a file: what is logged changes without a restart, in a pod by a change of the ConfigMap that is mounted.
//!
//! A signal would not do (the image has no shell to send one), a variable of a running process cannot be changed, and a port
//! that changes things would have to ask who is there. Must not decide what a filter means.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
    time::Duration,
};

use tokio::time::sleep;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::ops::telemetry::parse;

/// Between two looks at the file. The kubelet needs up to a minute to change it.
const PAUSE: Duration = Duration::from_secs(2);
/// A filter is a line.
const LARGEST: u64 = 64 * 1024;

/// A file that says what is logged. While it is missing or empty, what `--log` says holds.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    otherwise: String,
    /// What it said when it was last read, or why it could not be read.
    seen: Option<Result<String, String>>,
}

impl Source {
    pub(super) fn new(path: PathBuf, otherwise: &str) -> Self {
        Self { path, otherwise: otherwise.to_owned(), seen: None }
    }

    /// The filter that applies from now on, or what is wrong with it, if that is news.
    pub(super) fn news(&mut self) -> Option<Result<EnvFilter, String>> {
        let path = self.path.display();
        let now = self.read().map_err(|error| format!("--log-from {path} cannot be read: {error}"));
        if self.seen.as_ref() == Some(&now) {
            return None;
        }
        let filter = match &now {
            Ok(text) if text.is_empty() => parse(&self.otherwise).map_err(|error| error.to_string()),
            Ok(text) => parse(text).map_err(|error| format!("--log-from {path}: {error}")),
            Err(problem) => Err(problem.clone()),
        };
        self.seen = Some(now);
        Some(filter)
    }

    fn read(&self) -> io::Result<String> {
        let mut text = String::new();
        match File::open(&self.path) {
            Ok(file) => file.take(LARGEST).read_to_string(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(text.trim().to_owned())
    }

    /// Applies each change of the file. Never ends.
    pub(super) async fn follow(mut self, handle: reload::Handle<EnvFilter, Registry>) {
        loop {
            sleep(PAUSE).await;
            match self.news() {
                Some(Ok(filter)) => {
                    let text = filter.to_string();
                    if handle.reload(filter).is_ok() {
                        tracing::info!(filter = text, "the log filter has changed");
                    }
                }
                Some(Err(problem)) => tracing::warn!("{problem}; the log filter stays as it was"),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_once_and_only_if_it_can_be_understood() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("filter");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        let mut source = Source::new(path.clone(), "warn");
        let mut news = || source.news().map(|news| news.map(|filter| filter.to_string()));

        assert_eq!(news(), Some(Ok("warn".to_owned())), "no file: what --log says");
        assert_eq!(news(), None);
        write("kubeheal=debug\n");
        assert_eq!(news(), Some(Ok("kubeheal=debug".to_owned())));
        assert_eq!(news(), None, "nothing new");
        write("kubeheal=loud");
        let problem = news().unwrap().unwrap_err();
        assert!(
            problem.contains("kubeheal=loud") && problem.contains("filter") && !problem.contains('\n'),
            "{problem}"
        );
        assert_eq!(news(), None, "said once");
        write("  \n");
        assert_eq!(news(), Some(Ok("warn".to_owned())), "empty: what --log says");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(news(), None);
        std::fs::create_dir(&path).unwrap();
        assert!(news().unwrap().unwrap_err().contains("cannot be read"));
        assert_eq!(news(), None, "said once");
    }
}
