//! Structural schemas of custom resources.

/// A structural schema.
#[derive(Debug)]
pub struct Schema;
