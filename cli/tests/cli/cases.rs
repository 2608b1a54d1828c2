//! Situations that people have reported, and what must hold in each: see `tests/cases/README.md`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::run::{file, repository, run};

/// One situation, and what must hold in it.
struct Case {
    /// Name of its file.
    name: &'static str,
    /// The workload, as kind and name.
    workload: (&'static str, &'static str),
    /// More of the policy, in YAML.
    policy: &'static str,
    /// What is wanted.
    plans: Plans,
    /// Health from a second on until another, one of these.
    health: &'static [(f64, f64, &'static [&'static str])],
    /// Causes that are found at some time.
    finds: &'static [&'static str],
    /// Causes that are found at no time.
    never: &'static [&'static str],
    /// A reason to hold, and words of its sentence, at the end.
    held: Option<(&'static str, &'static [&'static str])>,
}

/// What would be done.
enum Plans {
    /// Nothing, at any time.
    Never,
    /// Nothing before that second.
    NotBefore(f64),
    /// This pod is restarted, wanted from that second on until the end.
    Restart(&'static str, f64),
}

const END: f64 = f64::INFINITY;
const DEPLOYMENT: (&str, &str) = ("Deployment", "app");

const fn case(name: &'static str) -> Case {
    Case {
        name,
        workload: DEPLOYMENT,
        policy: "",
        plans: Plans::Never,
        health: &[],
        finds: &[],
        never: &["WorkloadMissing"],
        held: None,
    }
}

const CASES: &[Case] = &[
    Case { health: &[(0.0, END, &["Healthy"])], ..case("evicted-leftovers") },
    Case {
        health: &[(400.0, END, &["Unhealthy"])],
        finds: &["PodsRejected"],
        never: &["Deadlocked"],
        held: Some(("RestartCannotHelp", &["turned away by node n1: UnexpectedAdmissionError"])),
        ..case("admission-error-churn")
    },
    Case {
        workload: ("StatefulSet", "db"),
        health: &[(345.0, END, &["Unhealthy"])],
        finds: &["NodeLost", "StuckTerminating"],
        held: Some(("RestartCannotHelp", &["db-0", "n1"])),
        ..case("sts-terminating-on-lost-node")
    },
    Case { plans: Plans::Restart("app-6b8f9d7c5d-xm268", 3500.0), ..case("no-progress-deadline") },
    Case { plans: Plans::Restart("app-6b8f9d7c5d-7xscp", 500.0), ..case("paused-midway") },
    Case {
        finds: &["ImagePull"],
        held: Some((
            "ReplacementUncertain",
            &["app-6b8f9d7c5d-7xscp", "app-6b8f9d7c5d-52tfr", "app: ErrImagePull", "pull access denied"],
        )),
        ..case("image-cannot-be-pulled-any-more")
    },
    Case {
        finds: &["ConfigError"],
        held: Some(("ReplacementUncertain", &["app-6b8f9d7c5d-7xscp", "failed calling webhook", "connection refused"])),
        ..case("admission-webhook-down")
    },
    Case {
        finds: &["ConfigError"],
        held: Some((
            "ReplacementUncertain",
            &[
                "app-6b8f9d7c5d-7xscp",
                "app-6b8f9d7c5d-97mk9",
                "app: CreateContainerConfigError",
                "secret \"app-env\" not found",
            ],
        )),
        ..case("secret-deleted-under-running-pods")
    },
    Case {
        policy: "health: {startupGraceSeconds: 900}",
        health: &[(5.0, 729.0, &["Starting"]), (730.0, END, &["Healthy"])],
        ..case("node-clock-behind")
    },
    Case {
        health: &[(5.0, 559.0, &["Starting"]), (560.0, END, &["Healthy"])],
        never: &["ConfigError"],
        ..case("native-sidecar-starts-slowly")
    },
    Case {
        policy: "health: {startupGraceSeconds: 900}",
        health: &[(160.0, 640.0, &["Starting", "Degraded"]), (700.0, END, &["Healthy"])],
        never: &["InitFailed", "Deadlocked", "CrashLoop"],
        ..case("init-container-again-after-reboot")
    },
    Case {
        health: &[(200.0, END, &["Healthy"])],
        finds: &["NodeLost"],
        never: &["CrashLoop"],
        ..case("node-reboot-restarts-everything")
    },
    Case {
        plans: Plans::NotBefore(1600.0),
        health: &[(7200.0, 7400.0, &["Unhealthy"]), (8000.0, 8200.0, &["Unhealthy"])],
        finds: &["OOMKilled"],
        ..case("slow-leak")
    },
    Case {
        finds: &["ReadinessGate"],
        never: &["ReadinessFailed"],
        held: Some(("RestartCannotHelp", &["target-health"])),
        ..case("readiness-gate-of-load-balancer")
    },
    Case { held: Some(("DisruptionBudget", &["2 budgets cover it (app, app-chart)"])), ..case("two-budgets") },
    Case { held: Some(("DisruptionBudget", &["budget app"])), ..case("budget-zero") },
    Case {
        health: &[(400.0, 1400.0, &["Unhealthy"]), (1500.0, END, &["Healthy"])],
        finds: &["ReadinessFailed"],
        ..case("dns-outage")
    },
    Case {
        workload: ("DaemonSet", "agent"),
        finds: &["NodeLost"],
        held: Some(("RestartCannotHelp", &["n2"])),
        ..case("ds-pod-frozen-on-dead-node")
    },
    Case { workload: ("DaemonSet", "agent"), ..case("ds-evicted-under-disk-pressure") },
    Case { finds: &["RuntimeError"], never: &["ConfigError"], ..case("container-name-reserved") },
    Case {
        plans: Plans::NotBefore(300.0),
        finds: &["CrashLoop"],
        never: &["LivenessFailed"],
        ..case("post-start-hook-fails")
    },
    Case { policy: "health: {ignoreExitCodes: [-1073741510]}", ..case("windows-exit-code") },
    Case {
        finds: &["SchedulingGated"],
        never: &["Unschedulable"],
        held: Some(("RestartCannotHelp", &["kueue.x-k8s.io/admission"])),
        ..case("scheduling-gated")
    },
    Case { health: &[(0.0, END, &["Idle"])], ..case("argo-rollout-took-over") },
    Case { workload: ("Pod", "app-x7k2p"), health: &[(0.0, END, &["Unknown"])], ..case("pod-of-a-cloneset") },
    Case {
        workload: ("Pod", "runner"),
        health: &[(390.0, END, &["Unhealthy"])],
        finds: &["ContainerEnded"],
        held: Some(("RestartCannotHelp", &["warm-up ended well"])),
        ..case("one-container-has-done-its-part")
    },
    Case {
        health: &[(310.0, END, &["Degraded", "Unhealthy"])],
        finds: &["RuntimeError"],
        never: &["ConfigError"],
        held: Some((
            "RestartCannotHelp",
            &["it has no sandbox: failed to setup network", "failed to assign an IP address to container"],
        )),
        ..case("no-sandbox")
    },
    Case { health: &[(0.0, END, &["Healthy"])], ..case("same-selector-twice") },
    Case { health: &[(100.0, END, &["Healthy"])], ..case("completed-after-shutdown") },
    Case { health: &[(930.0, END, &["Healthy"])], ..case("resized-in-place") },
    Case {
        health: &[(700.0, END, &["Unhealthy"])],
        finds: &["NodeLost", "StuckTerminating", "ConfigError"],
        held: Some(("RestartCannotHelp", &["volume"])),
        ..case("volume-still-attached-to-dead-node")
    },
    Case {
        plans: Plans::Restart("app-6b8f9d7c5d-7xscp", 500.0),
        health: &[(600.0, END, &["Unhealthy"])],
        finds: &["Deadlocked"],
        ..case("not-restarted-after-reboot")
    },
    Case { plans: Plans::NotBefore(1600.0), finds: &["OOMKilled"], ..case("slow-leak-and-a-neighbour") },
    Case {
        workload: ("StatefulSet", "db"),
        plans: Plans::Restart("db-2", 370.0),
        finds: &["Deadlocked"],
        ..case("stuck-revision-without-a-budget")
    },
    Case { health: &[(790.0, END, &["Healthy"])], finds: &["CrashLoop"], ..case("starts-slowly-after-a-crash-loop") },
    Case {
        workload: ("Pod", "trainer"),
        plans: Plans::Restart("trainer", 160.0),
        finds: &["Deadlocked"],
        ..case("bare-pod-rejected-after-reboot")
    },
];

/// All that is said, one line whenever it changes.
fn replay(case: &Case) -> Vec<Value> {
    let (kind, name) = case.workload;
    let spec = format!(
        "apiVersion: kubeheal.dev/v1alpha1\nkind: HealedService\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
         workloadRef: {{kind: {kind}, name: {name}}}\n  {}\n",
        case.policy
    );
    let directory = tempfile::tempdir().unwrap();
    let trace = repository().join(format!("cli/tests/cases/{}.jsonl", case.name));
    let spec = file(&directory, "spec.yaml", &spec);
    let ran = run(&["replay", trace.to_str().unwrap(), "--spec", &spec, "--output", "json"]);
    assert_eq!(ran.code, 0, "{}: {}", case.name, ran.err);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn since(line: &Value) -> f64 {
    line["t"].as_f64().unwrap()
}

fn planned(line: &Value) -> Option<&str> {
    line["plan"].get(0).map(|step| step["target"].as_str().unwrap())
}

fn causes(line: &Value) -> BTreeSet<&str> {
    line["findings"].as_array().unwrap().iter().map(|found| found["cause"].as_str().unwrap()).collect()
}

/// What was said from one second on until another: the last thing before it, too.
fn during(lines: &[Value], from: f64, until: f64) -> &[Value] {
    let first = lines.partition_point(|line| since(line) <= from).saturating_sub(1);
    let last = lines.partition_point(|line| since(line) <= until);
    &lines[first..last]
}

#[test]
fn all_cases_are_in_the_table() {
    let files = std::fs::read_dir(repository().join("cli/tests/cases")).unwrap().map(|entry| entry.unwrap().path());
    let recordings = files.filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"));
    let there: BTreeSet<_> = recordings.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(there, CASES.iter().map(|case| case.name.to_owned()).collect());
    let explained = std::fs::read_to_string(repository().join("cli/tests/cases/README.md")).unwrap();
    for name in there {
        assert!(explained.contains(&format!("| {name} |")), "{name} is not explained");
    }
}

#[test]
fn what_must_hold_in_each_case_holds() {
    for case in CASES {
        let (name, lines) = (case.name, replay(case));
        holds_back(case, &lines);
        for (from, until, allowed) in case.health {
            for line in during(&lines, *from, *until) {
                let health = line["health"].as_str().unwrap();
                assert!(allowed.contains(&health), "{name}: {health} at {}, from {from} on: {allowed:?}", line["t"]);
            }
        }
        let found: BTreeSet<_> = lines.iter().flat_map(causes).collect();
        for cause in case.finds {
            assert!(found.contains(cause), "{name}: {cause} is not found, but {found:?}");
        }
        for cause in case.never {
            assert!(!found.contains(cause), "{name}: {cause} is found");
        }
        if let Some((reason, words)) = case.held {
            let held = lines.last().unwrap()["blockedBy"][0].clone();
            assert_eq!(held["reason"], reason, "{name}: {held}");
            let message = held["message"].as_str().unwrap();
            for word in words {
                assert!(message.contains(word), "{name}: {word} is not in: {message}");
            }
        }
    }
}

/// Nothing is done that must not be, and what must be done is wanted.
fn holds_back(case: &Case, lines: &[Value]) {
    let name = case.name;
    let earliest = match case.plans {
        Plans::Never => END,
        Plans::NotBefore(second) => second,
        Plans::Restart(target, second) => {
            for line in during(lines, second, END) {
                assert_eq!(planned(line), Some(target), "{name} at {}: {}", line["t"], line["blockedBy"]);
            }
            0.0
        }
    };
    for line in lines.iter().filter(|line| since(line) < earliest) {
        assert_eq!(planned(line), None, "{name} at {}", line["t"]);
    }
}
