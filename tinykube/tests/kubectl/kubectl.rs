//! A cluster behind a socket and the kubectl that talks to it.

use std::process::Stdio;

use tinykube::Cluster;
use tinykube::auth::{Auth, User};
use tinykube::tls::Certificate;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;

/// What a run of kubectl gave.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// kubectl, aimed at a cluster of its own.
pub(crate) struct Kubectl {
    binary: std::ffi::OsString,
    _cluster: Cluster,
    home: std::path::PathBuf,
}

impl Kubectl {
    /// A cluster, and a kubectl that is its admin; it may be `guest` by another token, and `nobody` by a password.
    pub(crate) async fn start(test: &str) -> Kubectl {
        let binary = std::env::var_os("KUBEHEAL_KUBECTL");
        let binary =
            binary.expect("KUBEHEAL_KUBECTL names no kubectl: set it to a path, or run `make tests`, which gets one");
        let cluster = Cluster::builder().start().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let certificate = Certificate::generate().unwrap();
        let home = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kubectl-{test}"));
        std::fs::create_dir_all(&home).unwrap();
        let kubeconfig = certificate.kubeconfig("test", listener.local_addr().unwrap(), Some("admin-token"));
        std::fs::write(home.join("config"), kubeconfig + "- name: nobody\n  user: {username: me, password: secret}\n")
            .unwrap();
        let auth = Auth::tokens("guest-token,guest,1,guests").unwrap().with_user("admin-token", User::admin());
        let serving = cluster.clone();
        tokio::spawn(async move { serving.serve(listener, auth, &certificate).await });
        Kubectl { binary, _cluster: cluster, home }
    }

    /// Runs kubectl with `arguments`, split at spaces, and `input`.
    pub(crate) async fn run(&self, arguments: &str, input: &str) -> Said {
        let mut command = Command::new(&self.binary);
        command.arg("--cache-dir").arg(self.home.join("cache")).args(arguments.split(' '));
        command.env("HOME", &self.home).env("KUBECONFIG", self.home.join("config"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let waited = tokio::time::timeout(std::time::Duration::from_secs(60), child.wait_with_output()).await;
        let output = waited.unwrap_or_else(|_| panic!("kubectl {arguments} takes more than a minute")).unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The same, which must succeed; what it printed.
    pub(crate) async fn ok(&self, arguments: &str) -> String {
        self.ok_with(arguments, "").await
    }

    /// The same with input.
    pub(crate) async fn ok_with(&self, arguments: &str, input: &str) -> String {
        let said = self.run(arguments, input).await;
        assert_eq!(said.code, 0, "kubectl {arguments}: {said:#?}");
        said.out
    }

    /// Must succeed and print each of `texts`.
    pub(crate) async fn says(&self, arguments: &str, texts: &[&str]) {
        let out = self.ok(arguments).await;
        for text in texts {
            assert!(out.contains(text), "kubectl {arguments} does not say {text:?}:\n{out}");
        }
    }

    /// Must fail and complain with `text`.
    pub(crate) async fn fails(&self, arguments: &str, text: &str) {
        let said = self.run(arguments, "").await;
        assert!(said.code != 0 && said.err.contains(text), "kubectl {arguments} should fail with {text:?}: {said:#?}");
    }
}

/// A deployment as people write it.
pub(crate) fn deployment(replicas: u32, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, labels: {{app: web}}}}\nspec:\n  \
         replicas: {replicas}\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    \
         metadata: {{labels: {{app: web}}}}\n    spec:\n      terminationGracePeriodSeconds: 1\n      \
         containers:\n      - {{name: main, image: \"{image}\"}}\n"
    )
}
