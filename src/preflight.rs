//! The first question to the API server: is it there, does it know our resource, may we read it?
//!
//! One clear line instead of one from every watch. It asks until the answer is yes and never gives up: a process that ends
//! would only be started again.

use std::time::Duration;

use kube::{Api, Client, api::ListParams};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{api::HealedService, explain::explain};

/// Between two questions.
const RETRY: Duration = Duration::from_secs(5);
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why we cannot work, for `/readyz`; empty once we can.
pub type Trouble = Option<String>;

/// Returns once the API server answers our question, or at `stop`. `client` should not retry by itself.
pub async fn passed(
    client: Client,
    namespace: Option<&str>,
    trouble: &watch::Sender<Trouble>,
    stop: &CancellationToken,
) {
    let services: Api<HealedService> = match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    loop {
        let asked = tokio::select! { biased; () = stop.cancelled() => return, asked = ask(&services) => asked };
        let Err(reason) = asked else {
            trouble.send_replace(None);
            return;
        };
        trouble.send_if_modified(|known| {
            let news = known.as_ref() != Some(&reason);
            if news {
                tracing::error!("{reason}; trying again every {} s", RETRY.as_secs());
                *known = Some(reason);
            }
            news
        });
        tokio::select! { biased; () = stop.cancelled() => return, () = sleep(RETRY) => {} }
    }
}

async fn ask(services: &Api<HealedService>) -> Result<(), String> {
    const DOING: &str = "listing healedservices";
    match timeout(PATIENCE, services.list(&ListParams::default().limit(1))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(explain(DOING, &error)),
        Err(_) => Err(format!("{DOING}: the API server has not answered for {} s", PATIENCE.as_secs())),
    }
}
