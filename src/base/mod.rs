//! What everybody needs and nobody owns: keys, digests, targets, errors in words.

mod digest;
pub mod error_text;
mod key;
mod target;

pub use self::{
    digest::digest,
    key::{Key, key_of},
    target::target_of,
};
