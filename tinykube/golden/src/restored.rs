//! Puts back what the recording client overwrote in the transcripts.
//!
//! The client kept the objects it had sent and received, changed them in place for its next request and wrote all of it
//! down at the end, so a few lines show a later state. What they were is known from their neighbours, named with each.
//! The second set says of two bodies only how large they were.

use serde_json::{Value, json};

/// A place in a line, what stood there, and how that is known.
struct Restored {
    case: &'static str,
    id: u64,
    place: &'static str,
    was: fn() -> Value,
    #[expect(dead_code, reason = "for the reader")]
    known_by: &'static str,
}

const LINES: &[Restored] = &[
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
