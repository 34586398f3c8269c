//! The pass in a loop.

mod handle;

pub use handle::{Closed, Handle, Request};
