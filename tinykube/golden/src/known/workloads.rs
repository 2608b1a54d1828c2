//! `bootstrap`, `jobs`, `orphans`: what controllers do.

use super::Known;

pub(super) const KNOWN: &[Known] = &[
    Known::unserved("bootstrap", &[11, 31, 32, 33, 34, 35, 36, 37], "kinds that are not served"),
    Known::unserved("jobs", &[49, 50, 51, 52, 53, 54, 55, 56, 57], "CronJobs, and the Jobs they make"),
    Known::differs("jobs", &[47], "the pod that was told to end has ended by then"),
];
