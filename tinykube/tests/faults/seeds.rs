//! The same seed, the same bytes.

use std::time::Duration;

use tinykube::faults::Plan;

use crate::client::{behind, cluster, work};

/// A run on a paused runtime of its own: the log and whether the work was done within an hour.
fn run(seed: u64) -> (String, bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let cluster = cluster();
        let plan = Plan { clock_jump: 20, largest_jump: Duration::from_secs(600), ..Plan::storm() };
        let (faults, maps) = behind(&cluster, plan, seed);
        let done = tokio::time::timeout(Duration::from_secs(3600), work(&maps, 4)).await.is_ok();
        (faults.log().join("\n"), done)
    })
}

#[test]
fn a_hundred_seeds_do_the_same_twice_and_the_work_gets_done() {
    let mut logs = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let (first, done) = run(seed);
        assert!(done, "seed {seed} never gets done:\n{first}");
        let (second, _) = run(seed);
        assert_eq!(first, second, "seed {seed} differs from run to run");
        logs.insert(first);
    }
    assert_eq!(logs.len(), 100, "some seeds do the same as others");
    let all: String = logs.into_iter().collect();
    for fault in [
        "dropped\n",
        "dropped after commit",
        "injected 409",
        "injected 429",
        "injected after commit 500",
        "injected 503",
    ] {
        assert!(all.contains(fault), "no seed brings {fault:?}");
    }
    for fault in ["injected 504", "injected 410", "stale", "Cut", "Stall", "Gone", "Replay", "Merge", " clock "] {
        assert!(all.contains(fault), "no seed brings {fault:?}");
    }
}
