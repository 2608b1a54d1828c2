//! What everybody needs and nobody owns: keys, digests, targets, errors in words,
//! hosts of receivers.

mod digest;
pub mod error_text;
mod field_manager;
mod key;
mod receiver_hosts;
mod target;

pub use self::{
    digest::digest,
    field_manager::written_by_us,
    key::{Key, key_of},
    receiver_hosts::ReceiverHosts,
    target::target_of,
};
