//! Logs, commands of a person, and what containers use.

use bollard::{
    container::LogOutput,
    exec::{StartExecOptions, StartExecResults},
    models::ExecConfig,
    query_parameters::{LogsOptionsBuilder, ResizeExecOptionsBuilder, StatsOptionsBuilder},
};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::watch,
};

use super::Docker;
use crate::{
    engine::{Console, Error, LogLine, LogSelection, Refusal, Session, Usage},
    plan::Target,
};

/// A terminal's worth of typing at once.
const TYPING: usize = 4096;

impl Console for Docker {
    fn logs(
        &self,
        container: &str,
        selection: &LogSelection,
    ) -> impl Stream<Item = Result<LogLine, Error>> + Send {
        let LogSelection { follow, tail, since, timestamps } = selection;
        let tail = tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let since = since.unwrap_or_default().try_into().unwrap_or(i32::MAX);
        let options = LogsOptionsBuilder::new()
            .follow(*follow)
            .stdout(true)
            .stderr(true)
            .tail(&tail)
            .since(since)
            .timestamps(*timestamps)
            .build();
        let name = container.to_owned();
        let has_times = *timestamps;
        let what = format!("read the log of {container}");
        let pieces = self.api.logs(container, Some(options));
        let pieces = pieces.map_err(move |error| self.refused(what.clone(), &error));
        let ended = pieces.map_ok(Some).chain(stream::once(async { Ok(None) }));
        let lines = ended.scan(Lines::new(name, has_times), |lines, piece| {
            let taken: Vec<Result<LogLine, Error>> = match piece {
                Ok(Some(piece)) => lines.take(&piece).into_iter().map(Ok).collect(),
                Ok(None) => lines.rest().into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            std::future::ready(Some(stream::iter(taken)))
        });
        lines.flatten()
    }

    async fn exec(&self, container: &str, session: Session) -> Result<i64, Error> {
        let what = format!("run a command in {container}");
        let refused = |error: bollard::errors::Error| self.refused(what.clone(), &error);
        let Session { argv, user, stdin, mut stdout, mut stderr, terminal } = session;
        let container = self.exact(&Target::Name(container.to_owned()), &what).await?;
        let config = ExecConfig {
            attach_stdin: Some(stdin.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(terminal.is_some()),
            cmd: Some(argv),
            user,
            ..ExecConfig::default()
        };
        let exec = self.api.create_exec(&container, config).await.map_err(refused)?;
        let options = StartExecOptions { tty: terminal.is_some(), ..StartExecOptions::default() };
        let started = self.api.start_exec(&exec.id, Some(options)).await.map_err(refused)?;
        let StartExecResults::Attached { mut output, mut input } = started else {
            return self.exit_code(&exec.id, &what).await;
        };
        let type_in = async {
            if let Some(mut stdin) = stdin {
                let mut typed = vec![0; TYPING];
                while let Ok(count @ 1..) = stdin.read(&mut typed).await {
                    // A command that ended reads no more; its exit code follows.
                    if input.write_all(&typed[..count]).await.is_err()
                        || input.flush().await.is_err()
                    {
                        break;
                    }
                }
            }
            let _ = input.shutdown().await;
            std::future::pending::<()>().await;
        };
        let follow_size = async {
            if let Some(sizes) = terminal {
                self.follow_size(&exec.id, sizes).await;
            }
            std::future::pending::<()>().await;
        };
        let print = async {
            while let Some(piece) = output.next().await {
                let piece = piece.map_err(refused)?;
                let to = match piece {
                    LogOutput::StdErr { .. } => &mut stderr,
                    LogOutput::StdOut { .. }
                    | LogOutput::StdIn { .. }
                    | LogOutput::Console { .. } => &mut stdout,
                };
                let written = async {
                    to.write_all(piece.as_ref()).await?;
                    to.flush().await
                };
                written.await.map_err(|error| {
                    self.refusal(what.clone(), Refusal::Other, format!("its output: {error}"))
                })?;
            }
            Ok(())
        };
        // The output ends with the command; the keyboard would not.
        tokio::select! {
            printed = print => printed?,
            () = type_in => {}
            () = follow_size => {}
        }
        self.exit_code(&exec.id, &what).await
    }

    async fn usage(&self, container: &str) -> Result<Usage, Error> {
        let what = format!("read what {container} uses");
        let container = self.exact(&Target::Name(container.to_owned()), &what).await?;
        // One shot: the engine would otherwise wait a second to compute rates.
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let mut answers = self.api.stats(&container, Some(options));
        let answer = answers.try_next().await;
        let answer = answer.map_err(|error| self.refused(what, &error))?;
        let memory = answer.and_then(|answer| answer.memory_stats).unwrap_or_default();
        let cached = memory.stats.and_then(|stats| {
            // Named differently by the two versions of control groups.
            stats.get("total_inactive_file").or_else(|| stats.get("inactive_file")).copied()
        });
        let usage = memory.usage.unwrap_or_default();
        Ok(Usage {
            memory: usage.saturating_sub(cached.unwrap_or_default()),
            memory_limit: memory.limit.unwrap_or_default(),
        })
    }
}

impl Docker {
    async fn follow_size(&self, exec: &str, mut sizes: watch::Receiver<(u16, u16)>) {
        loop {
            let (columns, rows) = *sizes.borrow_and_update();
            let options = ResizeExecOptionsBuilder::new().w(columns.into()).h(rows.into()).build();
            // A terminal of the wrong size is no reason to end what runs in it.
            let _ = self.api.resize_exec(exec, options).await;
            if sizes.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Pieces of output put together to lines, errors and the rest each for themselves.
struct Lines {
    container: String,
    has_times: bool,
    begun: [String; 2],
}

impl Lines {
    fn new(container: String, has_times: bool) -> Self {
        Self { container, has_times, begun: Default::default() }
    }

    fn take(&mut self, piece: &LogOutput) -> Vec<LogLine> {
        let is_error = matches!(piece, LogOutput::StdErr { .. });
        let text = String::from_utf8_lossy(piece.as_ref()).into_owned();
        let mut begun = std::mem::take(&mut self.begun[usize::from(is_error)]);
        begun.push_str(&text);
        let mut lines = Vec::new();
        while let Some(end) = begun.find('\n') {
            let rest = begun.split_off(end + 1);
            lines.push(self.line(is_error, &begun));
            begun = rest;
        }
        self.begun[usize::from(is_error)] = begun;
        lines
    }

    fn rest(&mut self) -> Vec<LogLine> {
        let begun = std::mem::take(&mut self.begun);
        let begun = begun.into_iter().zip([false, true]).filter(|(text, _)| !text.is_empty());
        begun.map(|(text, is_error)| self.line(is_error, &text)).collect()
    }

    fn line(&self, is_error: bool, text: &str) -> LogLine {
        let text = text.trim_end_matches(['\n', '\r']);
        let (at, text) = match text.split_once(' ') {
            Some((at, text)) if self.has_times => (Some(at.to_owned()), text),
            _ => (None, text),
        };
        LogLine { container: self.container.clone(), is_error, at, text: text.to_owned() }
    }
}
