//! The first set.

use super::Known;

pub(super) const KNOWN: &[Known] = &[
    Known::differs(
        "custom",
        &[6],
        "OpenAPI documents hold what kubectl reads, without lists, scales and descriptions of parameters",
    ),
    Known::differs("workloads", &[22], "the message does not end with a diff of Go structs"),
    Known::differs("discovery", &[6, 16, 17, 18], "fewer groups and kinds are served"),
    Known::differs("discovery", &[19, 20], "OpenAPI documents hold what kubectl reads, of the groups that are served"),
];
