//! `negotiation`, `paths`: HTTP, formats and paths.

use super::Known;
use super::core::NOT_SERVED;

pub(super) const KNOWN: &[Known] = &[
    Known::differs("negotiation", &[29], "answers are never in Protocol Buffers: who takes nothing else gets 406")
        .with_status(406),
    Known::unserved("negotiation", &[48], "version 1 of autoscalers"),
    Known::but_for(NOT_SERVED, "negotiation", &[49], "version 1 of autoscalers"),
    Known::unserved("paths", &[60], "keys of tokens"),
    Known::unserved("paths", &[87, 88], "bindings"),
];
