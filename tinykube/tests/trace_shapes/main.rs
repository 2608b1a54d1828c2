//! The pods of a cluster must look like those of a real one: for each recorded failure mode the same manifests and an
//! equivalent script, on a paused runtime, and then the sequence of distinct pod status shapes is compared: of the
//! cluster's own node, and of a node that is a client.

#![allow(clippy::unwrap_used, clippy::panic, clippy::semicolon_if_nothing_returned)]

mod recording;
mod replay;
mod shape;

use replay::{Act, Mode};

/// The shells of the recording ignore SIGTERM, as process 1 does that handles no signals.
const SHELL: &str = "onTerm: {after: never}";

/// A reason to tolerate a difference.
const SANDBOX: &str = "the sandbox was up before the kubelet wrote its first status";

macro_rules! modes {
    ($($test:ident: $mode:expr;)*) => {
        $(#[tokio::test(start_paused = true)]
        async fn $test() {
            replay::check(&$mode).await;
        })*
    };
}

modes! {
    crashloop: Mode::new("crashloop", "app: {exits: [{after: 1s, log: 'ERROR - Failed to connect to PostgreSQL after all retry attempts'}]}");
    oom_killed: Mode::new("oom-killed", "app: {exits: [{after: 3s, reason: OOMKilled}]}");
    liveness_fails: Mode::new("liveness-fails", &format!("app: {{liveness: {{fails: [{{from: 15s}}]}}, readiness: {{fails: [{{from: 15s}}]}}, {SHELL}}}"));
    startup_fails: Mode::new("startup-fails", &format!("app: {{listensAfter: never, {SHELL}}}"));
    readiness_never: Mode::new("readiness-never", "app: {listensAfter: never}");
    readiness_flaps: Mode::new("readiness-flaps", "app: {readiness: {flaps: {passes: 10s, fails: 10s}}}");
    sidecar_crashes: Mode::new("sidecar-crashes", "sidecar: {exits: [{after: 5s, code: 2}]}");
    init_fails: Mode::new("init-fails", "wait-db: {exits: [{after: 1s, code: 3, log: waiting for db}]}");
    image_pull: Mode::new("image-pull", "app: bad-image");
    config_error: Mode::new("config-error", &format!("app: {{{SHELL}}}")).act(146.0, Act::CreateSecret);
    bare_pods: Mode::new("bare-pods", "app: {exits: [{after: 5s, code: 4}]}");
    statefulset: Mode::new("statefulset", &format!("app: {{{SHELL}}}")).pod("db-1", &format!("app: {{exits: [{{after: 8s, code: 7}}], {SHELL}}}")).act(84.89, Act::DeletePod)
        .tolerate(SANDBOX, |_, shape| shape.is_creating() && shape.has_no_sandbox());
    unschedulable: Mode::new("unschedulable", "healthy");
    healthy: Mode::new("healthy", &format!("app: {{{SHELL}}}"))
        .act(64.0, Act::RolloutRestart)
        .tolerate(SANDBOX, |_, shape| shape.is_creating() && shape.has_no_sandbox())
        .tolerate("the first readiness probe passed before the kubelet wrote the status", |last, shape| {
            last.is_creating() && shape.is_running() && !shape.is_ready()
        });
    pod_removed: Mode::new("pod-removed", &format!("app: {{{SHELL}}}")).act(334.59, Act::DeletePod);
    pdb: Mode::new("pdb", &format!("app: {{{SHELL}}}")).act(334.84, Act::DeletePod);
    slow_termination: Mode::new("slow-termination", &format!("app: {{{SHELL}}}")).act(84.75, Act::DeletePod);
    scaled_to_zero: Mode::new("scaled-to-zero", &format!("app: {{{SHELL}}}")).act(64.47, Act::Scale(0)).act(145.14, Act::Scale(2));
    node_lost: Mode::new("node-lost", "healthy").begins_running().act(15.0, Act::StopKubelet).act(165.0, Act::StartKubelet);
    workload_removed: Mode::new("workload-removed", &format!("app: {{{SHELL}}}")).act(64.39, Act::DeleteWorkload);
}
