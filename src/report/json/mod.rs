//! The same values for machines.
//!
//! These shapes are a wire format of their own: they change only together with the format version, while
//! the types of other rooms are free to move. A plan follows Terraform's documented plan representation,
//! so that readers of that one understand this one; what is ours alone lies under `nself`.

mod change;
mod history;
mod plan;
mod rest;

pub use history::{between, generation, history, verified};
pub use plan::{drift, plan};
pub use rest::{applied, check, event, failure, lock, status, urls};

use serde::Serialize;

/// Returns `value` as indented JSON with a newline behind it.
pub fn text(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("our shapes have text keys only") + "\n"
}

/// Returns `value` as one line of JSON with a newline behind it.
pub fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our shapes have text keys only") + "\n"
}
