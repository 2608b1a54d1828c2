//! Everything the HealedServices of a namespace said, in order. Watches from outside, like `kubectl get -w`.
//!
//! Whoever waits for a status finds it although it stood for a moment only, and goes on from there.

use std::collections::BTreeMap;

use futures::{StreamExt, pin_mut};
use kube::{
    Api, Client, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use kubeheal::api::{HealedService, status::HealedServiceStatus};
use tokio::{sync::watch, task::AbortHandle};

/// What was said, by service.
type Said = BTreeMap<String, Vec<HealedServiceStatus>>;

/// A chronicle that is being written until it is dropped.
#[derive(Debug)]
pub(crate) struct Chronicle {
    said: watch::Receiver<Said>,
    writing: AbortHandle,
}

impl Chronicle {
    /// Begins to write down what the services of `namespace` say.
    pub(crate) fn begin(client: Client, namespace: &str) -> Chronicle {
        let services: Api<HealedService> = Api::namespaced(client, namespace);
        let (writer, said) = watch::channel(Said::new());
        let writing = tokio::spawn(async move {
            let changes = watcher(services, watcher::Config::default()).default_backoff().applied_objects();
            pin_mut!(changes);
            while let Some(change) = changes.next().await {
                let Ok(service) = change else { continue };
                let name = service.name_any();
                let Some(status) = service.status else { continue };
                writer.send_modify(|said| {
                    let so_far = said.entry(name).or_default();
                    if so_far.last() != Some(&status) {
                        so_far.push(status);
                    }
                });
            }
        });
        Chronicle { said, writing: writing.abort_handle() }
    }

    /// The first status of a service from number `from` on that is as wanted, and its number. Waits for it for ever.
    pub(crate) async fn first(
        &self,
        service: &str,
        from: usize,
        wanted: &(dyn Fn(&HealedServiceStatus) -> bool + Sync),
    ) -> Option<(usize, HealedServiceStatus)> {
        let mut said = self.said.clone();
        let mut from = from;
        loop {
            {
                let now = said.borrow_and_update();
                let all = now.get(service).map(Vec::as_slice).unwrap_or_default();
                if let Some(found) = all.iter().enumerate().skip(from).find(|(_, status)| wanted(status)) {
                    return Some((found.0, found.1.clone()));
                }
                from = from.max(all.len());
            }
            said.changed().await.ok()?;
        }
    }

    /// The last status of a service.
    pub(crate) fn last(&self, service: &str) -> Option<HealedServiceStatus> {
        self.said.borrow().get(service)?.last().cloned()
    }
}

impl Drop for Chronicle {
    fn drop(&mut self) {
        self.writing.abort();
    }
}
