#![expect(clippy::disallowed_methods, reason = "repositories are reached by the system's own git")]
//! Running `git`: with nothing of the user's configuration, bounded in time and in what it may bring, and
//! never longer than this process.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Read},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStdin, Command},
};

use super::Error;
use crate::model::{ByteSize, Keyring};

/// Runs `git` in a process group that ends when this process does, however that ends: the input is a pipe
/// from it. `$1` bounds the files that may be written, in blocks of 512 bytes.
const LIFELINE: &str = r#"
    ulimit -c 0
    ulimit -f "$1" || exit 1
    shift
    exec 3<&0
    { read -r _ <&3; kill -KILL 0; } > /dev/null 2>&1 &
    "$@" < /dev/null 3<&-
    code=$?
    exec 2> /dev/null
    kill -KILL "$!"
    wait "$!"
    exit "$code"
"#;

/// How much of an answer is kept.
const ANSWER: u64 = 16 << 20;
/// How much of what is said on the error output is kept: the end of it.
const SAID: usize = 16 << 10;
/// How long something may take that only reads what is here.
const HERE: Duration = Duration::from_mins(10);

/// What of the process environment `git` and `ssh` are given: where programs and the agent are, and the way
/// out. What is named `GIT_…` is not: it could name programs, or have passwords printed.
const HANDED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The program could not be started.
    Missing(io::Error),
    /// It took too long.
    Late(Duration),
    /// It answered more than this.
    Much(ByteSize),
    /// Its answer could not be read.
    Read(io::Error),
    /// It failed, and said this.
    Said {
        /// The end of its error output.
        text: String,
        /// What it might bring.
        limit: ByteSize,
    },
    /// Whoever read its answer did not like it.
    Own(Box<Error>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Own(Box::new(error))
    }
}

/// How `git` is called.
#[derive(Debug, Clone)]
pub(super) struct Git {
    /// The repository.
    pub folder: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    /// Strikes out what must not be shown.
    keyring: Keyring,
    /// How long it may be silent where it talks with others.
    pub patience: Duration,
}

/// What a call may take.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bounds {
    /// It only reads what is here.
    Reads,
    /// It writes here.
    Writes,
    /// It asks others.
    Asks,
    /// It fetches from others, and says how far it is.
    Fetches(ByteSize),
}

impl Git {
    /// Makes a way to call `git` on a repository. `variables` is the process environment, of which little is
    /// handed on; `own` and `settings` are added.
    pub(super) fn new(
        folder: &Path,
        variables: &BTreeMap<String, String>,
        own: Vec<(&str, OsString)>,
        settings: Vec<(String, OsString)>,
        keyring: Keyring,
        patience: Duration,
    ) -> Self {
        let mut environment: BTreeMap<OsString, OsString> = variables
            .iter()
            .filter(|(name, _)| HANDED_ON.contains(&name.as_str()))
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let mut set = |name: &str, value: OsString| environment.insert(name.into(), value);
        if !variables.contains_key("PATH") {
            set("PATH", "/usr/local/bin:/usr/bin:/bin".into());
        }
        set("LC_ALL", "C".into());
        set("GIT_CONFIG_NOSYSTEM", "1".into());
        set("GIT_CONFIG_GLOBAL", "/dev/null".into());
        set("GIT_TERMINAL_PROMPT", "0".into());
        set("GIT_ASKPASS", "/bin/false".into());
        set("SSH_ASKPASS_REQUIRE", "never".into());
        set("GIT_NO_REPLACE_OBJECTS", "1".into());
        set("GIT_NO_LAZY_FETCH", "1".into());
        for (name, value) in own {
            set(name, value);
        }
        let fixed = FIXED.iter().map(|(key, value)| ((*key).to_owned(), OsString::from(*value)));
        let settings: Vec<(String, OsString)> = fixed.chain(settings).collect();
        set("GIT_CONFIG_COUNT", settings.len().to_string().into());
        for (index, (key, value)) in settings.into_iter().enumerate() {
            set(&format!("GIT_CONFIG_KEY_{index}"), key.into());
            set(&format!("GIT_CONFIG_VALUE_{index}"), value);
        }
        Self { folder: folder.to_owned(), environment, keyring, patience }
    }

    /// Returns the same with other variables added.
    pub(super) fn with(&self, variables: &[(&str, OsString)]) -> Self {
        let mut git = self.clone();
        for (name, value) in variables {
            git.environment.insert((*name).into(), value.clone());
        }
        git
    }

    /// Runs `git` and returns what it answers.
    pub(super) async fn answer(&self, bounds: Bounds, args: &[&str]) -> Result<Vec<u8>, Failure> {
        self.program("git", bounds, args, None).await
    }

    /// The same, of what is text.
    pub(super) async fn text(&self, bounds: Bounds, args: &[&str]) -> Result<String, Failure> {
        let answer = self.answer(bounds, args).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Runs a program, `git` or one that it uses, with `input` where it takes one.
    pub(super) async fn program(
        &self,
        program: &str,
        bounds: Bounds,
        args: &[&str],
        input: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Failure> {
        let mut running = self.start(program, bounds, args)?;
        let mut stdout = running.child.stdout.take();
        let out = async {
            let mut answer = Vec::new();
            if let Some(stdout) = &mut stdout {
                stdout.take(ANSWER + 1).read_to_end(&mut answer).await?;
            }
            Ok::<_, io::Error>(answer)
        };
        let give = give(&mut running, input);
        let (answer, ()) =
            tokio::try_join!(async { self.ended(running, bounds, out).await }, async {
                give.await;
                Ok(())
            })?;
        if answer.len() as u64 > ANSWER {
            return Err(Failure::Much(ByteSize(ANSWER)));
        }
        Ok(answer)
    }

    /// Runs `git` and has its answer read as it comes, on a thread that may wait.
    pub(super) async fn stream<T: Send + 'static>(
        &self,
        args: &[&str],
        read: impl FnOnce(&mut dyn Read) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Failure> {
        let mut running = self.start("git", Bounds::Reads, args)?;
        let stdout = running.child.stdout.take();
        let stdout = stdout.map(tokio::process::ChildStdout::into_owned_fd);
        let out = async {
            let Some(stdout) = stdout else { return Ok(None) };
            let mut stdout = std::fs::File::from(stdout?);
            let read = tokio::task::spawn_blocking(move || {
                let read = read(&mut stdout)?;
                // What is left after the end that the reader knows must not stop the writer.
                let _ = io::copy(&mut stdout, &mut io::sink());
                Ok::<T, Error>(read)
            });
            read.await.map_err(io::Error::other).map(Some)
        };
        match self.ended(running, Bounds::Reads, out).await? {
            Some(Ok(read)) => Ok(read),
            Some(Err(error)) => Err(error.into()),
            None => Err(Failure::Read(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn start(&self, program: &str, bounds: Bounds, args: &[&str]) -> Result<Running, Failure> {
        let mut command = match bounds {
            Bounds::Reads => Command::new(program),
            Bounds::Writes | Bounds::Asks | Bounds::Fetches(_) => {
                let blocks = match bounds {
                    Bounds::Fetches(limit) => (limit.0 / 512).to_string(),
                    _ => "unlimited".to_owned(),
                };
                let mut command = Command::new("/bin/sh");
                command.args(["-c", LIFELINE, "nself", &blocks, program]);
                command
            }
        };
        if program == "git" {
            command.arg("--git-dir").arg(&self.folder);
        }
        command.args(args).env_clear().envs(&self.environment).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: the keyboard's interrupt asks this program to finish, and whoever gives up on
        // `git` ends its helpers as well.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(Failure::Missing)?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let input = child.stdin.take();
        Ok(Running { child, group, input })
    }

    /// Waits for the end of a call, reading its two outputs meanwhile.
    async fn ended<T>(
        &self,
        mut running: Running,
        bounds: Bounds,
        out: impl Future<Output = io::Result<T>>,
    ) -> Result<T, Failure> {
        let (longest, silence, limit) = match bounds {
            Bounds::Reads | Bounds::Writes => (HERE, HERE, ByteSize(ANSWER)),
            Bounds::Asks => (self.patience, self.patience, ByteSize(ANSWER)),
            Bounds::Fetches(limit) => (self.patience * 10, self.patience, limit),
        };
        let stderr = running.child.stderr.take();
        // What only reads ends with its input; the others live on it.
        let lifeline = running.input.take();
        let lifeline = if matches!(bounds, Bounds::Reads) { None } else { lifeline };
        let all = async { tokio::join!(out, said(stderr, silence), running.child.wait()) };
        let ended = tokio::time::timeout(longest, all).await;
        let Ok((out, text, status)) = ended else { return Err(Failure::Late(longest)) };
        let Some(text) = text else { return Err(Failure::Late(silence)) };
        drop(lifeline);
        let status = status.map_err(Failure::Read)?;
        running.group = None;
        // What dies of a closed pipe was not listened to any more, and whoever stopped says why.
        if status.success() || status.signal() == Some(Signal::PIPE.as_raw()) {
            return out.map_err(Failure::Read);
        }
        if status.code() == Some(127) && matches!(bounds, Bounds::Asks | Bounds::Fetches(_)) {
            return Err(Failure::Missing(io::ErrorKind::NotFound.into()));
        }
        Err(Failure::Said { text: clean(&self.keyring.scrub(&text)), limit })
    }
}

/// What no repository and no user has a say in.
const FIXED: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.logAllRefUpdates", "false"),
    ("credential.helper", ""),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.unpackLimit", "1"),
    ("fetch.writeCommitGraph", "false"),
    ("gc.auto", "0"),
    ("http.followRedirects", "initial"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "30"),
    ("log.showSignature", "false"),
    ("maintenance.auto", "false"),
    ("pack.threads", "1"),
    ("pack.windowMemory", "64m"),
    ("submodule.recurse", "false"),
    ("transfer.bundleURI", "false"),
    ("transfer.credentialsInUrl", "die"),
];

/// A program that runs. Dropping it ends it with all that it started.
#[derive(Debug)]
struct Running {
    child: Child,
    group: Option<Pid>,
    input: Option<ChildStdin>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // It may have ended by itself meanwhile.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Takes the input of a program that is given something, to write it while the program runs.
fn give(running: &mut Running, input: Option<Vec<u8>>) -> impl Future<Output = ()> + use<> {
    let pipe = input.as_ref().and_then(|_| running.input.take());
    async move {
        if let (Some(mut pipe), Some(input)) = (pipe, input) {
            // A program that does not read to the end says why by itself.
            let _ = pipe.write_all(&input).await;
        }
    }
}

/// Reads to the end, and returns the last of it; nothing if there was silence for too long.
async fn said(from: Option<impl AsyncRead + Unpin>, silence: Duration) -> Option<String> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return Some(String::new()) };
    let mut piece = [0; 4096];
    loop {
        match tokio::time::timeout(silence, from.read(&mut piece)).await {
            Err(_) => return None,
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(read)) => kept.extend_from_slice(&piece[..read]),
        }
        if kept.len() > 2 * SAID {
            kept.drain(..kept.len() - SAID);
        }
    }
    Some(String::from_utf8_lossy(&kept).into_owned())
}

/// Returns a text of others as it may be shown: no control characters, none of the lines that `git` writes
/// over one another, no user's names in addresses.
pub(super) fn clean(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        lines.push(super::url::without_password(&line));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_cleaned() {
        assert_eq!(
            clean("Receiving: 1%\rReceiving: 2%\r\nfatal: 'https://me:pw@h/a'\u{1b}[31m\u{7}"),
            "Receiving: 2%\nfatal: 'https://h/a'[31m"
        );
    }
}
