//! `defaults`, `validation`, `validation-kinds`, `tables`: built-in kinds.

use super::Known;

pub(super) const KNOWN: &[Known] = &[
    Known::unserved(
        "defaults",
        &[18, 22, 23, 34, 35, 40, 43, 44, 50, 51, 52, 54, 66, 68, 69],
        "kinds that are not served, and pods that depend on them",
    ),
    Known::unserved("defaults", &[55], "priority classes: a pod cannot have one").with_status(403),
    Known::unserved("validation", &[49], "ephemeral containers"),
    Known::unserved(
        "validation-kinds",
        &[42, 43, 44, 45, 46, 47, 124, 125, 128, 129, 140, 141, 147, 148],
        "kinds that are not served, and pods that depend on them",
    ),
    Known::unserved("validation-kinds", &[126, 127], "limit ranges: nothing refuses a pod for one").with_status(201),
    Known::unserved(
        "tables",
        &[16, 19, 26, 28, 37, 49, 51, 54, 57, 59, 70, 72, 73, 74, 75, 76],
        "kinds that are not served",
    ),
];
