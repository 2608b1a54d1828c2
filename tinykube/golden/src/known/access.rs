//! tokens, access and impersonation.

use super::Known;

pub(super) const KNOWN: &[Known] = &[
    Known::differs("tokens", &[96], "paths below `/.well-known` are not served, and no rule allows them"),
    Known::differs("tokens", &[131, 134], "secrets of service accounts are not filled with tokens"),
];
