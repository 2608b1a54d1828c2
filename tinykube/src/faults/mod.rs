//! Faults between a client and the cluster, drawn from a seed: the same seed brings the same faults to the same requests.
//!
//! [`Faults`] is a `tower::Layer` around [`crate::http::Service`]. It delays requests, loses them before or after they
//! are carried out, answers with errors a real API server or what stands before it gives, serves old lists, breaks
//! watches, makes the clock jump, and can end everything at a chosen request as a crash of the client would. It never
//! touches what is stored. What it did is in [`Faults::log`].
//!
//! ```
//! use tinykube::{Cluster, faults::{Faults, Plan}};
//! use tower::Layer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tinykube::api::Status> {
//! let cluster = Cluster::builder().start()?;
//! let faults = Faults::new(cluster.api(), Plan::storm(), 7);
//! let client = kube::Client::new(faults.layer(cluster.service()), "default");
//! # drop(client);
//! # Ok(())
//! # }
//! ```

mod events;
mod plan;
mod service;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

pub use self::plan::{Crash, Plan};
pub use self::service::{Dropped, Faulty};
use crate::api::Api;
use crate::random::Random;

/// A source of faults. Clones share the count of requests, the log and the crash.
#[derive(Clone, Debug)]
pub struct Faults {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    api: Api,
    plan: Plan,
    seed: u64,
    state: Mutex<State>,
    crashed: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    requests: u64,
    paused: bool,
    log: Vec<String>,
}

impl Faults {
    /// Faults by `plan` for clients of `api`.
    pub fn new(api: &Api, plan: Plan, seed: u64) -> Faults {
        let (crashed, _) = watch::channel(false);
        Faults { shared: Arc::new(Shared { api: api.clone(), plan, seed, state: Mutex::default(), crashed }) }
    }

    /// No further faults, or faults again. A crash stays, and so do faults of watches that are open.
    pub fn set_paused(&self, paused: bool) {
        self.state().paused = paused;
    }

    /// What was asked and answered so far, a line each: number of the request, method, path, what was done about it,
    /// status and resource version of the answer; and every event of a watch with type and resource version.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// How many requests have come.
    pub fn requests(&self) -> u64 {
        self.state().requests
    }

    /// Returns once the request has come at which the plan crashes; never if it does not.
    pub async fn crashed(&self) {
        let mut crashed = self.shared.crashed.subscribe();
        if crashed.wait_for(|crashed| *crashed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn has_crashed(&self) -> bool {
        *self.shared.crashed.borrow()
    }

    fn note(&self, line: String) {
        self.state().log.push(line);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The randomness of one request, whatever other requests did.
    fn random(&self, request: u64) -> Random {
        Random::seeded(Random::seeded(self.shared.seed).next_u64() ^ Random::seeded(request).next_u64())
    }
}

impl<S> tower::Layer<S> for Faults {
    type Service = Faulty<S>;

    fn layer(&self, inner: S) -> Faulty<S> {
        Faulty::new(inner, self.clone())
    }
}
