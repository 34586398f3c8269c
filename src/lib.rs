//! nself.
pub mod model;
pub mod catalog;
pub mod spec;
pub mod desired;
pub mod observed;
pub mod diff;
pub mod plan;
pub mod engine;
pub mod secret;
pub mod cert;
pub mod controller;
