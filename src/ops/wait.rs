//! `kubeheal wait NAME`: for init containers that must not start before a service serves.
//!
//! What is waited for is what `dependsOn` means: available, and for long enough. Only reads, and only that one object.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::{Api, Client};
use tokio::time::{Instant, sleep};

use crate::{
    api::{HealedService, status::condition},
    base::{Key, error_text::explain},
    cluster::decode::Lenient,
    ops::clock::Clock,
    status::available_since,
};
use kubeheal_core::model::moment::{after, humanize};

/// Available for this long is stable: the default of `dependsOn[].stableSeconds`.
const STABLE: SignedDuration = SignedDuration::from_secs(60);
/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// Waits until the service is available and stable. `say` hears why it is not, each time that changes.
///
/// # Errors
/// Why it still is not, as one sentence, when `timeout` is over. Without one it waits for ever.
pub async fn until_stable(
    client: Client,
    clock: Clock,
    service: &Key,
    timeout: Option<Duration>,
    mut say: impl FnMut(&str),
) -> Result<(), String> {
    let (namespace, name) = service;
    let services: Api<Lenient<HealedService>> = Api::namespaced(client, namespace);
    let begun = Instant::now();
    let mut said = String::new();
    loop {
        let why = match services.get_opt(name).await {
            Ok(Some(Lenient(service))) => not_stable(&service, namespace, name, clock.now()),
            Ok(None) => Some(format!("there is no HealedService {namespace}/{name}")),
            Err(error) => Some(explain(&format!("reading healedservice {namespace}/{name}"), &error)),
        };
        let Some(why) = why else { return Ok(()) };
        if timeout.is_some_and(|timeout| begun.elapsed() >= timeout) {
            return Err(why);
        }
        if why != said {
            say(&why);
            said = why;
        }
        sleep(EVERY).await;
    }
}

/// Why the service cannot be relied on yet.
fn not_stable(service: &HealedService, namespace: &str, name: &str, now: Timestamp) -> Option<String> {
    let Some(status) = &service.status else {
        return Some(format!("{namespace}/{name} has not been looked at: does the controller run?"));
    };
    match available_since(status) {
        Some(since) => {
            // A time from the future is another clock's: from now on, then.
            let due = after(since.min(now), STABLE);
            (now < due).then(|| format!("{namespace}/{name} is available, but not yet for {}", humanize(STABLE)))
        }
        None => {
            let of = |kind: &str| status.conditions.iter().find(|known| known.type_ == kind);
            let health = status.health.unwrap_or_default();
            // An older build says Ready only.
            let why = of(condition::AVAILABLE).or_else(|| of(condition::READY));
            let why = why.map(|known| format!(": {}", known.message)).unwrap_or_default();
            Some(format!("{namespace}/{name} is not available ({health:?}){why}"))
        }
    }
}
