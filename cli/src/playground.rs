//! `healctl playground`: a cluster on this machine, in real time, with kubeheal at work in it.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use kubeheal::{
    api,
    controller::{Clients, Controller, Options},
    ops::{clock::Clock, metrics::Metrics},
};
use tinykube::{
    Cluster,
    auth::{Auth, User},
    tls::Certificate,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// Services reconciled at the same time.
const CONCURRENCY: usize = 4;

/// Arguments of `healctl playground`.
#[derive(Debug, clap::Args)]
pub(crate) struct Playground {
    /// Port on 127.0.0.1; 0 takes any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Where to write the kubeconfig [default: kubeheal-playground.kubeconfig in the directory for temporary files]
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Run the cluster alone, for a kubeheal that is started by hand
    #[arg(long)]
    no_controller: bool,
    /// Users besides the kubeconfig's admin: a static token file, `token,user,uid,"group1,group2"` a line
    #[arg(long)]
    token_auth_file: Option<PathBuf>,
}

impl Playground {
    /// Runs until Ctrl-C or SIGTERM.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(format!("start a runtime: {error}")))?;
        let ended = runtime.block_on(self.play());
        // Nothing of a playground is worth waiting for.
        runtime.shutdown_background();
        ended
    }

    async fn play(&self) -> Result<(), Failure> {
        let heard = |error| Failure::new(format!("listen to signals: {error}"));
        let mut terminate = signal(SignalKind::terminate()).map_err(heard)?;
        let token = token()?;
        let auth = self.auth(&token)?;
        let (listener, address) = self.listen().await?;
        let cluster = cluster()?;
        let path =
            self.kubeconfig.clone().unwrap_or_else(|| std::env::temp_dir().join("kubeheal-playground.kubeconfig"));
        let path = std::path::absolute(&path).unwrap_or(path);
        let certificate = Certificate::generate().map_err(|error| Failure::new(error.to_string()))?;
        write_private(&path, &certificate.kubeconfig("playground", address, Some(&token)))?;
        if !self.no_controller {
            tokio::spawn(controller(&cluster).run(CancellationToken::new()));
        }
        greet(address, &path, !self.no_controller).map_err(|error| Failure::output(&error))?;
        tokio::select! {
            () = cluster.serve(listener, auth, &certificate) => Ok(()),
            _ = terminate.recv() => Ok(()),
            pressed = tokio::signal::ctrl_c() => pressed.map_err(heard),
        }
    }

    async fn listen(&self) -> Result<(TcpListener, SocketAddr), Failure> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let failed = |error: std::io::Error| {
            Failure::new(format!("listen on {wanted}: {error}: choose another port with --port, or leave it out"))
        };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok((listener, address))
    }

    /// The admin of the kubeconfig and the users of the token file; who comes without a token is anonymous.
    fn auth(&self, token: &str) -> Result<Auth, Failure> {
        let users = match &self.token_auth_file {
            None => Auth::default(),
            Some(path) => users(path)?,
        };
        Ok(users.with_user(token, User::admin()))
    }
}

fn users(path: &Path) -> Result<Auth, Failure> {
    let failed = |what: &dyn std::fmt::Display| {
        Failure::new(format!("{}: cannot be used: {what}: check --token-auth-file", path.display()))
    };
    let file = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    Auth::tokens(&file).map_err(|error| failed(&error))
}

fn cluster() -> Result<Cluster, Failure> {
    let builder = api::crds().into_iter().fold(Cluster::builder(), tinykube::cluster::Builder::crd);
    builder.start().map_err(|status| Failure::new(format!("start the cluster: {}", status.message)))
}

fn controller(cluster: &Cluster) -> Controller {
    let clock = Clock::system();
    let options = Options {
        namespace: None,
        concurrency: CONCURRENCY,
        observe_only: false,
        metrics: Metrics::new(clock.now()),
        leader: None,
    };
    Controller::new(Clients { reads: cluster.client(), actions: cluster.client() }, clock, options)
}

/// 128 bits that nobody can guess: every process of this machine can reach the port.
fn token() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(format!("make an access token: {error}")))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Writes a file that only its owner can read: whole, or not at all.
fn write_private(path: &Path, content: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(format!("{}: cannot be written: {error}: choose another file with --kubeconfig", path.display()))
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(content.as_bytes()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn greet(address: SocketAddr, path: &Path, healing: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let who = if healing { "with kubeheal at work" } else { "without kubeheal" };
    writeln!(out, "A cluster {who} listens on https://{address}; kubeconfig: {}", path.display())?;
    writeln!(out, "\n  export KUBECONFIG={}\n", quoted(&path.display().to_string()))?;
    writeln!(out, "  kubectl apply -f deploy/examples/")?;
    writeln!(out, "  kubectl get hsvc -w")?;
    writeln!(out, "  healctl break deploy/api --how crash")?;
    writeln!(out, "\nCtrl-C ends it.")?;
    out.flush()
}

/// For a shell, if it needs quotes.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
