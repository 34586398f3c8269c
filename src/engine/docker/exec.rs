//! Running a command inside a container to its end.

use std::time::Duration;

use bollard::{
    container::LogOutput,
    exec::{StartExecOptions, StartExecResults},
    models::ExecConfig,
};
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::Docker;
use crate::{engine::Error, model::Sensitive};

/// A command. What is secret goes in by standard input: engines publish arguments as events.
#[derive(Debug, Default)]
pub(super) struct Command<'a> {
    pub(super) argv: &'a [String],
    pub(super) user: Option<&'a str>,
    pub(super) stdin: Option<&'a Sensitive>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: i64,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// The engine notes the exit code a moment after the streams end.
const CODE: Duration = Duration::from_secs(5);

impl Ran {
    /// Returns what it printed, errors last.
    pub(super) fn output(&self) -> String {
        let output = [self.stdout.trim_end(), self.stderr.trim_end()];
        output.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

impl Docker {
    pub(super) async fn run(
        &self,
        container: &str,
        command: &Command<'_>,
        what: &str,
    ) -> Result<Ran, Error> {
        let refused = |error: bollard::errors::Error| self.refused(what, &error);
        let config = ExecConfig {
            attach_stdin: Some(command.stdin.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.argv.to_vec()),
            user: command.user.map(str::to_owned),
            ..ExecConfig::default()
        };
        let exec = self.api.create_exec(container, config).await.map_err(refused)?;
        let started = self.api.start_exec(&exec.id, Some(StartExecOptions::default())).await;
        let StartExecResults::Attached { mut output, mut input } = started.map_err(refused)? else {
            return Ok(Ran { code: 0, stdout: String::new(), stderr: String::new() });
        };
        // Both ways at once: a command that prints while it reads would otherwise wait for ever.
        let feed = async {
            if let Some(stdin) = command.stdin {
                // A command that ends without reading hangs up; its exit code tells more.
                let _ = input.write_all(stdin.expose().as_bytes()).await;
            }
            let _ = input.shutdown().await;
        };
        let drain = async {
            let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
            while let Some(piece) = output.next().await {
                match piece? {
                    LogOutput::StdErr { message } => stderr.extend_from_slice(&message),
                    LogOutput::StdOut { message }
                    | LogOutput::Console { message }
                    | LogOutput::StdIn { message } => stdout.extend_from_slice(&message),
                }
            }
            Ok((stdout, stderr))
        };
        let ((), drained) = tokio::join!(feed, drain);
        let (stdout, stderr) = drained.map_err(refused)?;
        let code = self.exit_code(&exec.id, what).await?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Ran { code, stdout: text(stdout), stderr: text(stderr) })
    }

    pub(super) async fn exit_code(&self, exec: &str, what: &str) -> Result<i64, Error> {
        let deadline = tokio::time::Instant::now() + CODE;
        loop {
            let state = self.api.inspect_exec(exec).await;
            let state = state.map_err(|error| self.refused(what, &error))?;
            if let (Some(code), Some(false)) = (state.exit_code, state.running) {
                return Ok(code);
            }
            if tokio::time::Instant::now() > deadline {
                let why = "its exit code is not to be had";
                return Err(self.refusal(what, crate::engine::Refusal::Other, why));
            }
            super::container::pause(Duration::from_millis(10)).await;
        }
    }
}
