//! Desired against live.
