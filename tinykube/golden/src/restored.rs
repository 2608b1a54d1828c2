//! Puts back what the recording client overwrote in the transcripts.
//!
//! The client kept the objects it had sent and received, changed them in place for its next request and wrote all of it
//! down at the end, so a few lines show a later state. What they were is known from their neighbours, named with each.
//! The second set says of two bodies only how large they were. The server was a fork's: three pages of lists count a
//! ConfigMap that was taken out of them, and three lists of rules have one that was not.

use serde_json::{Value, json};

use crate::exchange::LIMITED_TOKEN;

/// A place in a line, what stood there, and how that is known.
struct Restored {
    case: &'static str,
    id: u64,
    place: &'static str,
    was: fn() -> Value,
    #[expect(dead_code, reason = "for the reader")]
    known_by: &'static str,
}

/// The fork of which the recorded server was built adds a ConfigMap to every namespace.
const COUNTED: &str = "there are as many ConfigMaps in the lists before and after; Kubernetes counts no other";

/// The token of the user `limited` was its name.
const LIMITED: &str = "the answer, in which it is the user of this name";

/// The fork lets everybody read /.well-known/*, too.
const GRANTED: &str = "the default roles of Kubernetes 1.36 (bootstrappolicy/policy.go), which do not name this path";

/// What `system:discovery` grants.
fn everyone_reads_paths() -> Value {
    let paths = [
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        "/version",
        "/version/",
    ];
    json!({"verbs": ["get"], "nonResourceURLs": paths})
}

/// What `system:public-info-viewer` grants.
fn everyone_reads_health() -> Value {
    json!({"verbs": ["get"], "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"]})
}

const LINES: &[Restored] = &[
    Restored { case: "tokens", id: 48, place: "/body/spec/token", was: || json!(LIMITED_TOKEN), known_by: LIMITED },
    Restored { case: "tokens", id: 48, place: "/reply/spec/token", was: || json!(LIMITED_TOKEN), known_by: LIMITED },
    Restored { case: "lists", id: 9, place: "/reply/metadata/remainingItemCount", was: || json!(5), known_by: COUNTED },
    Restored {
        case: "lists",
        id: 11,
        place: "/reply/metadata/remainingItemCount",
        was: || json!(2),
        known_by: COUNTED,
    },
    Restored {
        case: "negotiation",
        id: 80,
        place: "/reply/metadata/remainingItemCount",
        was: || json!(3),
        known_by: COUNTED,
    },
    Restored {
        case: "crud",
        id: 2,
        place: "/reply/data/k",
        was: || json!("1"),
        known_by: "the request of the same line; the object was sent with 3 in line 12",
    },
    Restored {
        case: "crud",
        id: 10,
        place: "/body/data/k",
        was: || json!("1"),
        known_by: "the reply has 1 and the version of line 2: nothing was changed; the object was sent with 3 in line 12",
    },
    Restored {
        case: "crud",
        id: 11,
        place: "/reply/metadata/uid",
        was: || json!("12b1b9e2-6099-4d18-8637-21f116a1788e"),
        known_by: "the replies before and after; the object was sent with zeros in line 14",
    },
    Restored {
        case: "crud",
        id: 11,
        place: "/reply/metadata/resourceVersion",
        was: || json!("3403"),
        known_by: "one before that of line 13, the next write; the object was sent without in line 13",
    },
    Restored {
        case: "crud",
        id: 11,
        place: "/reply/data/k",
        was: || json!("3"),
        known_by: "the request of the same line; the object was sent with 4 in line 13",
    },
    Restored {
        case: "crud",
        id: 13,
        place: "/body/metadata/uid",
        was: || json!("12b1b9e2-6099-4d18-8637-21f116a1788e"),
        known_by: "the request was granted; the object was sent with zeros, and refused, in line 14",
    },
    Restored {
        case: "apply",
        id: 21,
        place: "/body/spec/template/spec/containers",
        was: || json!([{"name": "two", "image": "docker.io/local/box:1"}]),
        known_by: "the reply has gained this container; the object was sent with another one, and refused, in line 22",
    },
    Restored {
        case: "leases-events",
        id: 3,
        place: "/reply/metadata/resourceVersion",
        was: || json!("3920"),
        known_by: "later than the request's, which line 4 is refused for; the object was sent without in line 5",
    },
    Restored {
        case: "tokens",
        id: 94,
        place: "/reply/status/nonResourceRules",
        was: || json!([everyone_reads_paths(), {"verbs": ["*"], "nonResourceURLs": ["*"]}, everyone_reads_health()]),
        known_by: GRANTED,
    },
    Restored {
        case: "tokens",
        id: 95,
        place: "/reply/status/nonResourceRules",
        was: || json!([everyone_reads_health(), everyone_reads_paths()]),
        known_by: GRANTED,
    },
    Restored {
        case: "tokens",
        id: 96,
        place: "/reply/status/nonResourceRules",
        was: || {
            let issuer = [
                "/.well-known/openid-configuration",
                "/.well-known/openid-configuration/",
                "/openid/v1/jwks",
                "/openid/v1/jwks/",
            ];
            json!([everyone_reads_paths(), {"verbs": ["get"], "nonResourceURLs": issuer}, everyone_reads_health()])
        },
        known_by: GRANTED,
    },
    Restored {
        case: "paths",
        id: 64,
        place: "/reply",
        was: || json!("ok"),
        known_by: "line 66; of what was asked for with `verbose` only some lines were kept, and each was given an end",
    },
    Restored {
        case: "validation",
        id: 23,
        place: "/body",
        was: || {
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "p", "annotations": {"a": "x".repeat(262_144)}},
                "spec": {"containers": [{"name": "c", "image": "busybox:1.37"}], "schedulerName": "nobody"},
            })
        },
        known_by: "the description of it, in parentheses, and the pods of the lines around",
    },
    Restored {
        case: "validation-kinds",
        id: 87,
        place: "/body",
        was: || json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "large"}, "data": {"a": "x".repeat(1_048_577)}}),
        known_by: "the description of it, in parentheses",
    },
];

/// The line as it was when it happened.
pub(crate) fn restore(case: &str, line: &mut Value) {
    let id = line["id"].as_u64();
    for restored in LINES.iter().filter(|restored| restored.case == case && Some(restored.id) == id) {
        let place = restored.place.rsplit_once('/').and_then(|(parent, key)| Some((line.pointer_mut(parent)?, key)));
        if let Some((parent, key)) = place {
            parent[key] = (restored.was)();
        }
    }
}
