//! Telling people and repositories: notifications, and the status of commits.
//!
//! What is told, and that it is told once, is decided in [`crate::sync`]. What cannot be delivered is tried again a
//! few times, and holds nothing up.
