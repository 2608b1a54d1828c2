//! What the journeys run: pods with a real program that really fails, and services with short times.
//!
//! The program is a shell script that reads what it is to do from an annotation of its own pod, through a volume of the
//! downward API. tinykube's kubelet runs no programs; it acts out the same by its own annotation, which means nothing to any
//! other cluster. Both are written together, so the same objects fail the same way everywhere.

use serde_json::{Value, json};

/// What the program reads.
const ACT: &str = "e2e.kubeheal.dev/act";
/// What tinykube reads.
const SCRIPT: &str = "tinykube.dev/script";
/// An image that no registry has.
pub(crate) const NO_IMAGE: &str = "registry.invalid/does-not-exist:1";

/// How a pod behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// As it should.
    Well,
    /// Exits with code 1 after each start.
    Crash,
    /// Takes more memory than it may.
    OutOfMemory,
    /// Fails its readiness probe.
    NotReady,
    /// Fails its liveness probe.
    Sick,
    /// Exits once, and after that never answers its startup probe.
    NeverStarts,
}

impl Act {
    /// A merge patch that tells a pod.
    pub(crate) fn patch(self) -> Value {
        let (act, script) = match self {
            Self::Well => (Value::Null, Value::Null),
            Self::Crash => (json!("crash"), json!("crash-at-once")),
            Self::OutOfMemory => (json!("out-of-memory"), json!("oom")),
            Self::NotReady => (json!("not-ready"), json!("not-ready")),
            Self::Sick => (json!("sick"), json!("sick")),
            Self::NeverStarts => {
                (json!("never-starts"), json!("app: {exits: [{after: 1s, times: 1}], listensAfter: never}"))
            }
        };
        json!({"metadata": {"annotations": {ACT: act, SCRIPT: script}}})
    }
}

/// The program. PID 1 hears no signal it does not ask for, hence the trap.
const PROGRAM: &str = r#"
trap 'exit 0' TERM
told() { cat /told/act 2>/dev/null; }
mkdir -p /tmp/www && cd /tmp/www || exit 2
echo ok > started; echo ok > ready; echo ok > live
first="$(told)"
[ "$first" = never-starts ] || httpd -p 8080 -h /tmp/www
while true; do
  act="$(told)"
  case "$act" in
    crash) echo 'FATAL: told to crash' >&2; exit 1 ;;
    out-of-memory) exec tail /dev/zero ;;
    never-starts) [ "$first" = never-starts ] || exit 1 ;;
  esac
  if [ "$act" = not-ready ]; then rm -f ready; else echo ok > ready; fi
  if [ "$act" = sick ]; then rm -f live; else echo ok > live; fi
  if [ -n "$NEEDS" ] && ! wget -q -T 2 -O /dev/null "http://$NEEDS:8080/ready"; then
    echo "FATAL: could not connect to $NEEDS:8080: connection refused" >&2; exit 1
  fi
  sleep 1 & wait $!
done
"#;

/// A Deployment whose pods run the program. With `needs` they crash while the Service of that name has no ready pod.
pub(crate) fn deployment(name: &str, image: &str, replicas: u32, needs: Option<&str>) -> Value {
    let mut template = json!({"metadata": {"labels": {"app": name}}, "spec": pod_spec(image, needs)});
    if let Some(needs) = needs {
        let log = format!("FATAL: could not connect to {needs}:8080: connection refused");
        let script = json!({"app": {"exits": [{"after": "2s", "whileDown": format!("Service/{needs}"), "log": log}]}});
        template["metadata"]["annotations"] = json!({SCRIPT: script.to_string()});
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    })
}

/// A pod that no controller replaces.
pub(crate) fn bare_pod(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": pod_spec(image, None),
    })
}

fn pod_spec(image: &str, needs: Option<&str>) -> Value {
    let probe = |path: &str, failures: u32| {
        json!({
            "httpGet": {"path": path, "port": 8080}, "periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": failures,
        })
    };
    json!({
        "terminationGracePeriodSeconds": 2,
        "automountServiceAccountToken": false,
        "securityContext": {"runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "app", "image": image, "command": ["sh", "-c", PROGRAM],
            "env": [{"name": "NEEDS", "value": needs.unwrap_or_default()}],
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "startupProbe": probe("/started", 10),
            "readinessProbe": probe("/ready", 1),
            "livenessProbe": probe("/live", 2),
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "48Mi"}},
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": "told", "mountPath": "/told"}],
        }],
        "volumes": [{
            "name": "told",
            "downwardAPI": {"items": [{
                "path": "act", "fieldRef": {"fieldPath": format!("metadata.annotations['{ACT}']")},
            }]},
        }],
    })
}

/// A Service in front of the pods of an app.
pub(crate) fn front(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 8080}]},
    })
}

/// A HealedService for the Deployment of that name, with times so short that a repair is over within seconds. `spec` is
/// merged over it.
pub(crate) fn healed(name: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "kubeheal.dev/v1alpha1", "kind": "HealedService", "metadata": {"name": name},
        "spec": {
            "workloadRef": {"kind": "Deployment", "name": name},
            "health": {
                "notReadySeconds": 3, "crashLoopSeconds": 4, "restarts": {"threshold": 2, "windowSeconds": 300},
            },
            "remediation": {
                "backoff": {"initialSeconds": 1, "factor": 1, "maxSeconds": 2},
                "verifySeconds": 40, "stabilizationSeconds": 3, "resetAfterHealthySeconds": 600,
            },
            "circuitBreaker": {"windowSeconds": 300, "openSeconds": 5, "maxOpenSeconds": 10},
        },
    });
    merge(&mut object["spec"], spec);
    object
}

/// What is given goes over what is there.
fn merge(target: &mut Value, over: &Value) {
    match (target, over) {
        (Value::Object(target), Value::Object(over)) => {
            for (key, value) in over {
                merge(target.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (target, over) => *target = over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_is_one_that_the_api_takes() {
        for spec in [json!({}), json!({"mode": "Observe", "remediation": {"verifySeconds": 8}})] {
            let object = healed("app", &spec);
            let problems = kubeheal::api::lint(&object.to_string()).err().unwrap_or_default();
            assert!(problems.is_empty(), "{object}: {problems:?}");
            assert_eq!(object["spec"]["remediation"]["stabilizationSeconds"], 3, "the rest stays");
        }
    }

    #[test]
    fn every_act_is_one_that_the_program_knows() {
        for act in [Act::Crash, Act::OutOfMemory, Act::NotReady, Act::Sick, Act::NeverStarts] {
            let patch = act.patch();
            let word = patch["metadata"]["annotations"][ACT].as_str().unwrap().to_owned();
            assert!(PROGRAM.contains(&word), "{word}");
        }
    }
}
