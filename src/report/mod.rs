//! Values of the other rooms as text for people and as JSON for programs.
//!
//! No I/O and no decisions: what is shown has been decided elsewhere.

pub mod diagnostic;
