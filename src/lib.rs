//! nself.
#[macro_use]
pub mod model;
pub mod catalog;
pub mod spec;
pub mod desired;
pub mod observed;
pub mod plan;
pub mod engine;
pub mod report;
