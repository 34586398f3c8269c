//! nself.
pub mod model;
pub mod catalog;
pub mod spec;
pub mod desired;
pub mod observed;
pub mod diff;
pub mod plan;
pub mod source;
pub mod secret;
pub mod cert;
pub mod engine;
pub mod apply;
pub mod controller;
pub mod report;
