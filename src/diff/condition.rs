//! What a container, and with it its service, is doing, in a word.

use crate::{
    desired::{Class, Container, Phase},
    observed::{Health, SeenContainer, State},
};

/// What a service is doing, from best to worst.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// A job that ended well.
    Done,
    /// Running, and its health check says good.
    Healthy,
    /// Running; nothing else is known.
    Running,
    /// Stopped by `nself stop`.
    Suspended,
    /// Running, and not ready yet.
    Starting,
    /// Running, and its health check says bad.
    Unhealthy,
    /// Something else, in the engine's words.
    Other(String),
    /// Not there.
    Missing,
}

impl Condition {
    /// Works out what a container is doing, given what it should be and what was seen of it.
    pub fn of(wanted: &Container, seen: Option<&SeenContainer>) -> Self {
        let Some(seen) = seen else {
            return Self::Missing;
        };
        match (seen.state, wanted.phase, wanted.class) {
            (State::Exited { .. } | State::Created, Phase::Suspended, _) => Self::Suspended,
            (State::Exited { code: 0, .. }, _, Class::Job) => Self::Done,
            (State::Running, ..) => match seen.health {
                None => Self::Running,
                Some(Health::Healthy) => Self::Healthy,
                Some(Health::Starting) => Self::Starting,
                Some(Health::Unhealthy) => Self::Unhealthy,
            },
            (state, ..) => Self::Other(state.to_string()),
        }
    }

    /// Returns whether that is as it should be, or will be in a moment.
    pub fn is_well(&self) -> bool {
        match self {
            Self::Done | Self::Healthy | Self::Running | Self::Suspended | Self::Starting => true,
            Self::Unhealthy | Self::Other(_) | Self::Missing => false,
        }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Healthy => "healthy",
            Self::Running => "running",
            Self::Suspended => "stopped (you)",
            Self::Starting => "starting",
            Self::Unhealthy => "unhealthy",
            Self::Other(state) => state,
            Self::Missing => "missing",
        })
    }
}
