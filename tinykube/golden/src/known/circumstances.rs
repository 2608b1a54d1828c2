//! What a real API server answers otherwise because its circumstances are not those of the recording.

use super::{Circumstance, Known};

pub(super) const KNOWN: &[Known] = &[
    Known::depends(
        Circumstance::Past,
        "bootstrap",
        &[3],
        "the generation of the server's own EndpointSlice counts changes of its addresses, and the recorded server had seen two",
    ),
    Known::depends(
        Circumstance::Node,
        "bootstrap",
        &[8, 36],
        "the Node and its CSINode say what machine, runtime, images and volumes there are",
    ),
    Known::depends(
        Circumstance::Node,
        "jobs",
        &[6, 8, 12, 14, 15, 17, 21, 27, 28, 34, 36],
        "the program of each Job prints, ends or fails, and the Job with it; a scripted node runs no programs, and the Job goes \
         on",
    ),
    Known::depends(
        Circumstance::Node,
        "jobs",
        &[53, 54, 55, 56, 58],
        "the Job that the CronJob starts, and the one with a time to live, have ended in the recording; see 6 and 34",
    ),
    Known::depends(
        Circumstance::Node,
        "jobs",
        &[9, 59, 61, 62, 65, 68, 70, 71],
        "pods whose program has ended, with its exit code, its last words and its log",
    ),
    Known::depends(
        Circumstance::Build,
        "paths",
        &[62, 63, 65],
        "the checks that are listed: the fork has others, and of the recorded ones only some were kept",
    ),
    Known::depends(
        Circumstance::Node,
        "tables",
        &[44],
        "system, kernel, runtime and version of the node are in its row",
    ),
];
