//! What a person does with a running container beside changing it: read its log, run a command in it,
//! see what it uses.

use std::{future::Future, pin::Pin};

use futures_util::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use super::Error;

/// A person's view into containers. Nothing here is part of a plan.
pub trait Console: Sync {
    /// Returns the lines of a container's log, oldest first.
    fn logs(
        &self,
        container: &str,
        selection: &LogSelection,
    ) -> impl Stream<Item = Result<LogLine, Error>> + Send;

    /// Runs a command inside a container and returns its exit code.
    fn exec(
        &self,
        container: &str,
        session: Session,
    ) -> impl Future<Output = Result<i64, Error>> + Send;

    /// Returns what a running container uses now.
    fn usage(&self, container: &str) -> impl Future<Output = Result<Usage, Error>> + Send;
}

/// Which lines of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSelection {
    /// Whether to go on with lines to come.
    pub follow: bool,
    /// Only so many of the last lines; all when absent.
    pub tail: Option<u64>,
    /// Only lines from this time on, in seconds since 1970.
    pub since: Option<u64>,
    /// Whether each line comes with its time.
    pub timestamps: bool,
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The container's name.
    pub container: String,
    /// Whether it was written as an error.
    pub is_error: bool,
    /// When, as the engine writes it; absent unless asked for.
    pub at: Option<String>,
    /// The line, without its end.
    pub text: String,
}

/// A command that a person runs.
pub struct Session {
    /// The command and its arguments.
    pub argv: Vec<String>,
    /// The user to run it as; the container's own when absent.
    pub user: Option<String>,
    /// What it reads; nothing when absent.
    pub stdin: Option<Pin<Box<dyn AsyncRead + Send>>>,
    /// Where its output goes.
    pub stdout: Pin<Box<dyn AsyncWrite + Send>>,
    /// Where its errors go; with a terminal they are part of the output.
    pub stderr: Pin<Box<dyn AsyncWrite + Send>>,
    /// The size of its terminal in columns and rows, as it changes; no terminal when absent.
    pub terminal: Option<watch::Receiver<(u16, u16)>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("argv", &self.argv)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What a container uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Memory in bytes, without what the kernel can take back at once.
    pub memory: u64,
    /// The most it may use; the machine's memory when it has no limit.
    pub memory_limit: u64,
}
