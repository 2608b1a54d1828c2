//! A node as its kubelet describes it: labels, and the status with everything a real one says. Pure.

use std::fmt::Write;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::object;

/// The annotation that reboots a node in an orderly way, each time it says something else: any text.
pub(crate) const BOOT_ANNOTATION: &str = "tinykube.dev/boot";

/// The version of the kubelet that is acted out.
const KUBELET: &str = "v1.36.0";
/// Type, what the kubelet says of it, and why.
const PRESSURES: [(&str, &str, &str); 3] = [
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
];
const READY: (&str, &str, &str) = ("Ready", "KubeletReady", "kubelet is posting ready status");

/// What is particular to a node.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) address: String,
    /// Under what name other machines reach it.
    pub(crate) hostname: String,
    /// `cpu` and `memory`.
    pub(crate) capacity: [&'static str; 2],
    /// Where the kubelet answers, if it does.
    pub(crate) port: Option<u16>,
}

impl Host {
    /// The object to register.
    pub(crate) fn node(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": {
                "beta.kubernetes.io/arch": "amd64",
                "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": self.name,
                "kubernetes.io/os": "linux",
            }},
        })
    }

    /// Whether a node as stored says that it is well.
    pub(crate) fn is_well(stored: &Value) -> bool {
        let says = |kind: &str| {
            let mut known = object::items(stored, "/status/conditions").iter();
            known.any(|condition| condition["type"] == kind && condition["status"] == well(kind))
        };
        PRESSURES.iter().chain([&READY]).all(|(kind, ..)| says(kind))
    }

    /// Whether a node as stored says all that is so: that it is well, and with which boot.
    pub(crate) fn is_reported(&self, stored: &Value) -> bool {
        let has_rebooted = object::annotation(stored, BOOT_ANNOTATION).is_some();
        Self::is_well(stored) && !(has_rebooted && stored["status"]["nodeInfo"]["bootID"] != self.boot_id(stored))
    }

    /// The status to write over that of a node as stored.
    pub(crate) fn status(&self, stored: &Value, now: &str) -> Value {
        let mut status = self.parts();
        status["nodeInfo"]["bootID"] = self.boot_id(stored).into();
        let conditions = PRESSURES.iter().chain([&READY]).map(|(kind, reason, message)| {
            let known = object::items(stored, "/status/conditions").iter();
            let mut known = known.filter(|known| known["type"] == *kind && known["status"] == well(kind));
            let since = known.next().map_or(now, |known| object::text(known, "/lastTransitionTime"));
            json!({
                "type": kind,
                "status": well(kind),
                "lastHeartbeatTime": now,
                "lastTransitionTime": since,
                "reason": reason,
                "message": message,
            })
        });
        status["conditions"] = conditions.collect();
        status
    }

    /// What does not change while the kubelet runs.
    fn parts(&self) -> Value {
        let [cpu, memory] = self.capacity;
        let amounts = json!({"cpu": cpu, "ephemeral-storage": "264212084Ki", "memory": memory, "pods": "250"});
        let mut parts = json!({
            "capacity": amounts,
            "allocatable": amounts,
            "addresses": [
                {"type": "InternalIP", "address": self.address},
                {"type": "Hostname", "address": self.hostname},
            ],
            "nodeInfo": {
                "machineID": self.digest("machine", 32),
                "systemUUID": self.uuid("system"),
                "bootID": "",
                "kernelVersion": "6.12.0-tinykube",
                "osImage": "tinykube",
                "containerRuntimeVersion": "containerd://2.1.0",
                "kubeletVersion": KUBELET,
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
        });
        if let Some(port) = self.port {
            parts["daemonEndpoints"] = json!({"kubeletEndpoint": {"Port": port}});
        }
        parts
    }

    /// The same until the node is rebooted.
    fn boot_id(&self, stored: &Value) -> String {
        self.uuid(&format!("boot{}", object::annotation(stored, BOOT_ANNOTATION).unwrap_or_default()))
    }

    fn uuid(&self, what: &str) -> String {
        let digits = self.digest(what, 32);
        format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
    }

    /// Hexadecimal digits that are the node's own, the same every time.
    fn digest(&self, what: &str, digits: usize) -> String {
        let mut text = String::new();
        for byte in Sha256::digest(format!("{what}/{}", self.name)).iter().take(digits / 2) {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

fn well(kind: &str) -> &'static str {
    if kind == "Ready" { "True" } else { "False" }
}
