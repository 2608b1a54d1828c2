//! Whether a namespace is being deleted, asked live.
//!
//! Only the namespace itself says so from the first moment: its pods may go long before the `HealedService` does, and for other
//! reasons. So it is read before each action, and where pods go or are missing.

use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, core::ApiResource};
use tokio::time::Instant;

use crate::cluster::decode::Outline;

/// That a namespace stays is believed for so long, where nothing is done for that.
const BELIEVED: Duration = Duration::from_secs(5);

/// What becomes of a namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stay {
    /// It stays.
    #[default]
    Stays,
    /// It is being deleted, or gone.
    Ends,
    /// It could not be read.
    Unclear,
}

/// Reads namespaces.
#[derive(Clone)]
pub struct Namespaces {
    client: Client,
    staying: Arc<Mutex<BTreeMap<String, Instant>>>,
}

impl Namespaces {
    pub(super) fn new(client: Client) -> Self {
        Self { client, staying: Arc::default() }
    }

    /// Asked now.
    pub async fn ask(&self, namespace: &str) -> Stay {
        let namespaces: Api<Outline> = Api::all_with(self.client.clone(), &ApiResource::erase::<Namespace>(&()));
        match namespaces.get_opt(namespace).await {
            Ok(Some(found)) if !found.deleting => {
                let mut staying = self.staying.lock();
                staying.retain(|_, asked| asked.elapsed() < BELIEVED);
                staying.insert(namespace.to_owned(), Instant::now());
                Stay::Stays
            }
            Ok(Some(_) | None) => Stay::Ends,
            Err(_) => Stay::Unclear,
        }
    }

    /// Asked within the last seconds.
    pub async fn ask_lately(&self, namespace: &str) -> Stay {
        let known = self.staying.lock().get(namespace).copied();
        match known {
            Some(asked) if asked.elapsed() < BELIEVED => Stay::Stays,
            Some(_) | None => self.ask(namespace).await,
        }
    }
}
