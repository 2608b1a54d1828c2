//! What was done and what was held back can be read in the log afterwards.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tracing_subscriber::{EnvFilter, fmt};

use super::{blocked, steps, well};
use crate::support::world::World;

/// A log that the test reads.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn each_action_and_each_new_reason_to_hold_is_one_json_line() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(EnvFilter::new("off,audit=info"))
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    world.pass(3600).await;
    assert!(log.lines().is_empty(), "nothing was done and nothing held back: {:#?}", log.lines());

    world.break_pods("api", "not-ready").await;
    let status = world.until("api", "acted on", 900, |s| !steps(s).is_empty()).await;
    let acted: Vec<Value> = log.lines().into_iter().filter(|line| line["outcome"] == "Done").collect();
    assert_eq!(acted.len(), 1, "{acted:#?}");
    let line = &acted[0];
    for (field, value) in [
        ("target", "audit"),
        ("namespace", "default"),
        ("service", "api"),
        ("step", "RestartPod"),
        ("cause", "ReadinessFailed"),
        ("circuit", "Closed"),
        ("error", ""),
    ] {
        assert_eq!(line[field], value, "{field} of {line:#}");
    }
    assert_eq!(line["action"], 1, "{line:#}");
    assert_eq!(line["target_name"], status.memory.attempts.in_flight.unwrap().action.target.as_str(), "{line:#}");
    assert_eq!(line["policy"], status.effective_policy.unwrap().digest.as_str(), "{line:#}");

    world.break_workload("api", "not-ready").await;
    world.until("api", "held", 7200, blocked("BreakerOpen")).await;
    let held: Vec<Value> = log.lines().into_iter().filter(|line| line["outcome"] == "Held").collect();
    assert!(held.iter().any(|line| line["blocked_by"].as_str().unwrap().contains("BreakerOpen")), "{held:#?}");
    // The back-off, another reason, ends within this time.
    world.pass(700).await;
    let before = log.lines().len();
    world.pass(120).await;
    assert_eq!(log.lines().len(), before, "the same reason is not told again");
}
