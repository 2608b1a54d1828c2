//! The status of a `HealedService`: a decision is put into it, and the state is taken out again.

mod available;
mod load;
mod render;

pub use available::available_since;
pub use load::load;
pub use render::{Beside, render, store};
