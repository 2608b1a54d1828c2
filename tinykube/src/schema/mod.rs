//! Structural schemas of custom resources.

pub(crate) mod strict;

/// A structural schema.
#[derive(Debug)]
pub struct Schema;
