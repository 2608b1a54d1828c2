//! The workload controllers.

use tokio_util::sync::CancellationToken;

use crate::api::Api;

/// Everything that runs beside the API server.
#[derive(Debug)]
pub struct ControlPlane {
    api: Api,
}

impl ControlPlane {
    /// A control plane for this server.
    pub fn new(api: Api) -> ControlPlane {
        ControlPlane { api }
    }

    /// Runs until cancelled.
    pub async fn run(self, cancellation: CancellationToken) {
        let _api = self.api;
        cancellation.cancelled().await;
    }
}
