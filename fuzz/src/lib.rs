//! What must hold of whatever nself reads, one check a reader.
//!
//! A check takes any bytes and panics when something does not hold. The fuzz targets hand it bytes that
//! libFuzzer makes up; `tests/it/replay.rs` those that were kept in `corpus/`, on every run of the tests.

pub mod compose;
pub mod engine;
pub mod label;
pub mod plan;
pub mod spec;
mod text;

/// What has to hold of an input.
pub type Check = fn(&[u8]);

/// The checks by the names of their targets.
pub const CHECKS: [(&str, Check); 5] = [
    ("spec", spec::check),
    ("label", label::check),
    ("plan", plan::check),
    ("compose", compose::check),
    ("engine", engine::check),
];
