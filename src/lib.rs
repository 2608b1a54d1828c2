//! kubeheal

pub mod api;
pub mod healing;
