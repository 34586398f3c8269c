//! Desired against live, field by field, naming who moved what.
mod change;
mod effect;
pub use change::{Action, Change, Changes, FieldChange, Leftover, Mover, Note, Shown, Subject};
pub use effect::{Effect, effect};
