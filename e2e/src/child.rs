//! Programs of the build, run as processes of their own: the controller, and a playground to run on.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use crate::failure::{Failure, Result};

/// A process that ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: tokio::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts a program that was built beside this one. What it says on stderr goes to `log`.
    pub(crate) fn start(program: &str, arguments: &[String], kubeconfig: Option<&Path>, log: &Path) -> Result<Child> {
        let path = beside(program)?;
        let failed = |error: std::io::Error| Failure::new(format!("start {}: {error}", path.display()));
        let said = File::create(log).map_err(failed)?;
        let mut command = Command::new(&path);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).kill_on_drop(true);
        if let Some(kubeconfig) = kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        // Told by arguments alone.
        for variable in ["POD_NAME", "POD_NAMESPACE", "KUBEHEAL_LOG", "KUBEHEAL_LOG_FROM"] {
            command.env_remove(variable);
        }
        let process = command.spawn().map_err(failed)?;
        Ok(Child { name: program.to_owned(), process, log: log.to_owned() })
    }

    /// Ends it at once, as a lost node would.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.process.kill().await.map_err(|error| Failure::new(format!("kill {}: {error}", self.name)))
    }

    /// Asks it to end, as a kubelet does, and waits for that.
    pub(crate) async fn stop(&mut self, patience: Duration) -> Result<ExitStatus> {
        let id = self.process.id().ok_or_else(|| Failure::new(format!("{} has ended by itself", self.name)))?;
        let told = Command::new("kill").args(["-TERM", &id.to_string()]).status().await;
        told.map_err(|error| Failure::new(format!("tell {} to end: {error}", self.name)))?;
        match timeout(patience, self.process.wait()).await {
            Ok(ended) => ended.map_err(|error| Failure::new(format!("wait for {}: {error}", self.name))),
            Err(_) => Err(Failure::new(format!("{} has not ended {} s after SIGTERM", self.name, patience.as_secs()))),
        }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }

    /// Where it says what it does.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }
}

fn beside(program: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(|error| Failure::new(format!("find this program: {error}")))?;
    let path = own.with_file_name(program);
    if path.exists() {
        return Ok(path);
    }
    Err(Failure::new(format!("{} is not there: build it with cargo build -p kubeheal -p healctl", path.display())))
}
