//! kubeheal
