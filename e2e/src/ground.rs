//! The cluster everything happens on: the one in KUBECONFIG, or a playground of our own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, Config, ResourceExt,
    api::{DeleteParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{conditions, wait::await_condition},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    child::Child,
    failure::{Failure, Result},
};

/// For the API server to serve what was installed, or to be there at all.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that cannot be watched.
const PAUSE: Duration = Duration::from_millis(50);

/// A cluster that can be reached.
pub(crate) struct Ground {
    /// As admin. It does not repeat what was refused.
    pub(crate) client: Client,
    /// How to get there.
    pub(crate) config: Config,
    /// For other programs; empty if they find it as we did.
    pub(crate) kubeconfig: Option<PathBuf>,
    playground: Option<Child>,
}

/// An end-user of the playground who may do nothing.
pub(crate) const LIMITED_TOKEN: &str = "limited-token";
/// An admin of the playground who is called as the one of the transcripts.
pub(crate) const ADMIN_TOKEN: &str = "admin-token";

impl Ground {
    /// The cluster in KUBECONFIG.
    pub(crate) async fn given() -> Result<Ground> {
        let config = Config::infer().await;
        let config = config.map_err(|error| {
            Failure::new(format!("no way to a cluster: {error}: set KUBECONFIG to a readable kubeconfig"))
        })?;
        Ok(Ground { client: client(config.clone())?, config, kubeconfig: None, playground: None })
    }

    /// A fresh cluster in a process of its own, whose files are in `folder`.
    pub(crate) async fn playground(folder: &Path) -> Result<Ground> {
        let (kubeconfig, users) = (folder.join("kubeconfig"), folder.join("users.csv"));
        let written = std::fs::write(
            &users,
            format!("{LIMITED_TOKEN},limited,lim,\"\"\n{ADMIN_TOKEN},admin,admin,\"system:masters\"\n"),
        );
        written.map_err(|error| Failure::new(format!("write {}: {error}", users.display())))?;
        let arguments = ["playground", "--no-controller", "--kubeconfig"].map(str::to_owned);
        let arguments = [&arguments[..], &[path(&kubeconfig), "--token-auth-file".to_owned(), path(&users)]];
        let mut child = Child::start("healctl", &arguments.concat(), None, &folder.join("playground.log"))?;
        let config = reach(&mut child, &kubeconfig).await?;
        Ok(Ground { client: client(config.clone())?, config, kubeconfig: Some(kubeconfig), playground: Some(child) })
    }

    /// Whether the cluster is ours alone.
    pub(crate) fn is_playground(&self) -> bool {
        self.playground.is_some()
    }

    /// Installs those of our CRDs that are missing. Returns their names.
    pub(crate) async fn install(&self) -> Result<Vec<String>> {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let mut installed = Vec::new();
        for definition in kubeheal::api::crds() {
            let name = definition.name_any();
            match definitions.create(&PostParams::default(), &definition).await {
                Ok(_) => installed.push(name.clone()),
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(Failure::api(format!("install {name}"), &error)),
            }
            let served = await_condition(definitions.clone(), &name, conditions::is_crd_established());
            let waited = timeout(PATIENCE, served).await;
            let waited = waited.map_err(|_| Failure::new(format!("{name} is installed and not served")))?;
            waited.map_err(|error| Failure::new(format!("wait until {name} is served: {error}")))?;
        }
        Ok(installed)
    }

    /// Removes what `install` installed, and waits until it is gone.
    pub(crate) async fn uninstall(&self, names: &[String]) -> Result<()> {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for name in names {
            let removed = definitions.delete(name, &DeleteParams::background()).await;
            removed.map_err(|error| Failure::api(format!("remove {name}"), &error))?;
            let gone =
                await_condition(definitions.clone(), name, |found: Option<&CustomResourceDefinition>| found.is_none());
            let waited = timeout(PATIENCE, gone).await;
            waited
                .map_err(|_| Failure::new(format!("{name} was removed and is still there: something holds it")))?
                .ok();
        }
        Ok(())
    }
}

/// Once a playground has written its kubeconfig and answers.
async fn reach(child: &mut Child, kubeconfig: &Path) -> Result<Config> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(config) = read(kubeconfig).await {
            let answers = client(config.clone())?.apiserver_version().await.is_ok();
            if answers {
                return Ok(config);
            }
        }
        let ended = child.ended();
        if ended.is_some() || Instant::now() >= end {
            let said = std::fs::read_to_string(child.log()).unwrap_or_default();
            return Err(Failure::new(format!("the playground does not answer ({ended:?}): {said}")));
        }
        sleep(PAUSE).await;
    }
}

async fn read(kubeconfig: &Path) -> Option<Config> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).ok()?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.ok()
}

/// A client that hears each refusal: kube would repeat some requests up to 15 times.
pub(crate) fn client(mut config: Config) -> Result<Client> {
    config.default_retry = false;
    Client::try_from(config).map_err(|error| Failure::new(format!("the kubeconfig cannot be used: {error}")))
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
