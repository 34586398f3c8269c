//! How one sees that a service is ready.

use crate::model::Millis;

/// nself's own question to a service, asked right after its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// An HTTP request to `port` and `path` is answered with 2xx or 3xx.
    Http {
        /// The port inside the container.
        port: u16,
        /// The path, beginning with `/`.
        path: String,
    },
    /// A TCP connection to `port` is accepted.
    Tcp {
        /// The port inside the container.
        port: u16,
    },
    /// A command inside the container exits with 0. Ready-made: no shell is added.
    Exec(Vec<String>),
    /// The engine's own health check, which the image brings along, says healthy; the container is
    /// ready as soon as it runs when the image has none.
    Image,
    /// It is a job: it ends with exit code 0.
    Exit,
}

/// A health check that the engine runs for as long as the container lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// The command and its arguments; no shell is added.
    pub test: Vec<String>,
    /// Time between two checks.
    pub interval: Millis,
    /// Time after which a check has failed.
    pub timeout: Millis,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// Time after the start in which failures do not count.
    pub start_period: Millis,
}
