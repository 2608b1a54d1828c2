//! `negotiation`, `paths`: HTTP, formats and paths.

use super::Known;

pub(super) const KNOWN: &[Known] = &[
    Known::differs("negotiation", &[6, 21], "what is wrong with YAML is said in the words of another library"),
    Known::differs(
        "negotiation",
        &[19, 20],
        "fields that are unknown and those that occur twice are found one after the other",
    ),
    Known::differs("negotiation", &[29], "answers are never in Protocol Buffers: who takes nothing else gets 406"),
    Known::differs("negotiation", &[31], "tables are of the version v1"),
    Known::differs(
        "negotiation",
        &[36, 56, 58, 59, 61],
        "members of an object stand in another order where text is compared",
    ),
    Known::unserved("negotiation", &[48, 49], "version 1 of autoscalers"),
    Known::differs("negotiation", &[60], "the version is told in one line"),
    Known::differs("negotiation", &[88], "a watch that ends does not send a last bookmark"),
    Known::unserved("paths", &[60], "keys of tokens"),
    Known::unserved("paths", &[87, 88], "bindings"),
];
