//! `bootstrap`, `jobs`, `orphans`: what controllers do.

use super::Known;

pub(super) const KNOWN: &[Known] = &[
    Known::unserved("bootstrap", &[11, 31, 32, 33, 34, 35, 36, 37], "kinds that the README lists"),
    Known::differs("bootstrap", &[3], "the generation counts how often that server has been started"),
    Known::differs("bootstrap", &[8], "the node says tinykube, and no images"),
    Known::differs(
        "bootstrap",
        &[10, 12, 13, 14, 15, 24, 25, 30],
        "the parts of the control plane are inside, and have neither accounts nor roles",
    ),
    Known::unserved("jobs", &[49, 50, 51, 52, 53, 54, 55, 56, 57], "CronJobs, and the Jobs they make"),
    Known::differs("jobs", &[11], "a Job's template is not shown as Go shows it"),
    Known::differs("jobs", &[36], "what a container does that runs `test` is not known: it ends well"),
    Known::differs("jobs", &[47], "the pod that was told to end has ended by then"),
    Known::differs(
        "jobs",
        &[59, 61, 65, 70],
        "the real kubelet says of a pod that is over that its limit of memory is all there is",
    ),
    Known::differs("jobs", &[68], "a container that fails again and again is in another of its states"),
];
