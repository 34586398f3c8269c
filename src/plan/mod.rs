//! Plans.
mod op;
pub use op::{Op, Target};
