//! Where two recordings of real API servers do not agree, because their circumstances were not the same: the one of the
//! transcripts, and Kubernetes 1.36.3 with a scripted node. What two real servers answer differently is no measure of a third,
//! so these lines count for nothing, whichever server is played to.

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
        &[8],
        "the Node says what machine, runtime, images and volumes there are",
    ),
    Known::depends(
        Circumstance::Node,
        "bootstrap",
        &[36],
        "the kubelet makes the CSINode of its node, and a scripted node has none",
    )
    .with_status(404),
    Known::depends(
        Circumstance::Node,
        "jobs",
        &[36],
        "the program looks at its index to decide whether it fails, which no scripted node does",
    ),
    Known::depends(
        Circumstance::Node,
        "jobs",
        &[59, 61, 65, 70],
        "the runtime says how much memory the pod may have in all, which is as much as the kernel can count",
    ),
    Known::depends(
        Circumstance::Node,
        "jobs",
        &[68],
        "whether a container that ends and is started again runs at the moment",
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
