//! Hearing of what happens on an engine.

use futures_util::stream::BoxStream;

use super::Error;

/// An engine that tells when something happens on it.
pub trait Listen: Sync {
    /// Returns what happens, from now on, to the objects of the project whose names begin with `prefix`.
    ///
    /// Only what can make a difference is told: not that something was looked at or run inside a container, and
    /// nothing of nself's own helpers, locks and memory. It is told whoever did it, nself included. What happens
    /// while nobody listens is not told later, so whoever listens has to look now and then all the same.
    ///
    /// The stream ends with an error when the engine goes away.
    fn listen(&self, prefix: &str) -> BoxStream<'static, Result<Happening, Error>>;
}

/// Something that happened on an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// To what, by its name.
    pub name: String,
    /// What, in the engine's word, such as `die`.
    pub what: String,
}
