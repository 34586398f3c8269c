#![expect(clippy::disallowed_methods, reason = "ssh:// is the system's own ssh")]
//! Engines on other machines, through the system's own `ssh`: its configuration, agent, known hosts and
//! jump hosts are the user's, and none of them is touched.
//!
//! One `ssh` forwards a private socket here to the engine's socket there, so that each further connection
//! costs nothing but a channel. All it needs there is a shell and the right to forward. It lives on the
//! pipe to it: when this process ends, however it does, `ssh` ends and the socket goes.

use std::{
    collections::VecDeque,
    io::{self, BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::UnixStream;

use super::address::Remote;

/// The way through `ssh`; opened when it is first needed, and again when it broke.
#[derive(Debug)]
pub(super) struct Ssh {
    remote: Remote,
    tunnel: tokio::sync::Mutex<Option<Tunnel>>,
}

/// Connections over many jumps take their time; nobody waits longer than this for one.
const PATIENCE: Duration = Duration::from_mins(1);
/// Lines of what `ssh` says that are kept.
const LINES: usize = 20;

/// Runs here. Who makes the folder removes it, whatever happens to whoever asked. A signal ends `ssh`,
/// and the shell goes on to tidy up, which no second one ends. So does the end of the input, which `ssh`
/// alone would not mind while a connection through it is open.
const HERE: &str = r#"
    umask 077
    trap : HUP INT TERM PIPE
    folder=$(mktemp -d "${TMPDIR:-/tmp}/nself-ssh.XXXXXX") || exit 1
    program=$1 socket=$2
    shift 2
    echo "$folder"
    exec 3<&0
    (cat <&3; kill -TERM 0) > /dev/null 2>&1 &
    "$program" -L "$folder/engine.sock:$socket" "$@"
    code=$?
    trap '' HUP INT TERM PIPE
    rm -rf "$folder"
    kill -TERM 0
    exit $code
"#;

/// Runs there: says what is at the path, then waits for the end of its input. There is no single quote
/// in it, since it is put between two.
const THERE: &str = r#"
    if test -S "$1" && test -w "$1"; then echo "nself: ready"
    elif test -S "$1"; then echo "nself: denied $(id -un)"
    else
        found=
        for other in /var/run/docker.sock "/run/user/$(id -u)/docker.sock" \
            /run/podman/podman.sock "/run/user/$(id -u)/podman/podman.sock"
        do if test -S "$other" && test -w "$other"; then found="$found $other"; fi; done
        echo "nself: missing$found"
    fi
    exec cat > /dev/null"#;

impl Ssh {
    pub(super) fn new(remote: &Remote) -> Self {
        Self { remote: remote.clone(), tunnel: tokio::sync::Mutex::default() }
    }

    /// Opens one more connection to the engine.
    pub(super) async fn connect(&self) -> io::Result<UnixStream> {
        let mut tunnel = self.tunnel.lock().await;
        let there = match tunnel.take().filter(Tunnel::is_open) {
            Some(open) => open,
            None => Tunnel::open(&self.remote).await?,
        };
        let stream = UnixStream::connect(&there.socket).await;
        *tunnel = Some(there);
        stream
    }

    /// Adds to the failure of a request what `ssh` said of it: a connection that cannot be passed on is
    /// closed without a word.
    pub(super) async fn explain(&self, error: io::Error) -> io::Error {
        let tunnel = self.tunnel.lock().await;
        let said = tunnel.as_ref().map(|tunnel| tunnel.said.text()).unwrap_or_default();
        match said.lines().rev().find(|line| line.contains("open failed") || is_loss(line)) {
            Some(line) => io::Error::new(error.kind(), format!("ssh: {line}")),
            None => error,
        }
    }
}

/// A forwarded socket. Dropping it closes it.
#[derive(Debug)]
struct Tunnel {
    child: Mutex<Option<Child>>,
    socket: PathBuf,
    said: Said,
}

impl Tunnel {
    async fn open(remote: &Remote) -> io::Result<Self> {
        let mut child = start(remote)?;
        let said = Said::default();
        if let Some(stderr) = child.stderr.take() {
            said.listen(stderr);
        }
        let stdout = child.stdout.take();
        let mut tunnel =
            Self { child: Mutex::new(Some(child)), socket: PathBuf::new(), said: said.clone() };
        let heard = tokio::task::spawn_blocking(move || {
            let mut lines = stdout
                .into_iter()
                .flat_map(|out| BufReader::new(out).lines().map_while(Result::ok));
            let folder = lines.next();
            let answer = lines.find_map(|line| line.strip_prefix("nself: ").map(str::to_owned));
            (folder, answer)
        });
        let Ok(heard) = tokio::time::timeout(PATIENCE, heard).await else {
            let why = format!("ssh gets no answer in {} seconds", PATIENCE.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        };
        let (folder, answer) = heard.map_err(io::Error::other)?;
        if let Some(folder) = folder {
            tunnel.socket = Path::new(&folder).join("engine.sock");
        }
        let Some(answer) = answer else {
            tunnel.wait();
            return Err(failure(&said.text(), remote));
        };
        match answer.split_once(' ').unwrap_or((&answer, "")) {
            ("ready", _) => Ok(tunnel),
            ("denied", user) => {
                let why = format!("{user} may not use {} on {}", remote.socket, remote.host);
                Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
            }
            (_, others) => Err(missing(remote, others)),
        }
    }

    fn is_open(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Waits for the end of a program that has said its last word, so that all of it was heard.
    fn wait(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut child) = child.take() {
            // What could not be waited for has ended as well.
            let _ = child.wait();
        }
        self.said.wait();
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut child) = child else { return };
        drop(child.stdin.take());
        // A line that is dead would keep it waiting. It may have ended by itself meanwhile.
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::TERM);
        }
        std::thread::spawn(move || child.wait());
    }
}

fn start(remote: &Remote) -> io::Result<Child> {
    let Remote { program, user: _, host: _, port, socket } = remote;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", HERE, "nself", program, socket, "-T"]);
    // Without questions, since nobody is there to answer, and by itself: a connection that is shared
    // with others would outlive us, forwarded socket and all.
    for option in [
        "BatchMode=yes",
        "ControlMaster=no",
        "ControlPath=none",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "ConnectTimeout=30",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=3",
        "IgnoreUnknown=ForkAfterAuthentication,SessionType,StdinNull",
        "ForkAfterAuthentication=no",
        "SessionType=default",
        "StdinNull=no",
    ] {
        command.args(["-o", option]);
    }
    if let Some(port) = port {
        command.args(["-p", &port.to_string()]);
    }
    command.args(["--", &remote.account(), &format!("exec sh -c '{THERE}' nself '{socket}'")]);
    // A group of its own: the keyboard's interrupt asks this program to finish, for which it needs ssh.
    command.process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn()
}

/// The last of what `ssh` said on its error output.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    listener: Option<std::thread::JoinHandle<()>>,
}

impl Said {
    fn listen(&self, stderr: ChildStderr) {
        let said = self.clone();
        let listener = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut said = said.0.lock().unwrap_or_else(PoisonError::into_inner);
                said.kept.push_back(line.trim_end().to_owned());
                if said.kept.len() > LINES {
                    said.kept.pop_front();
                }
            }
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).listener = Some(listener);
    }

    fn wait(&self) {
        let listener = self.0.lock().unwrap_or_else(PoisonError::into_inner).listener.take();
        if let Some(listener) = listener {
            // A listener that failed has heard what it has heard.
            let _ = listener.join();
        }
    }

    fn text(&self) -> String {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.kept.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Returns what went wrong before the other side said anything.
fn failure(said: &str, remote: &Remote) -> io::Error {
    let host = &remote.host;
    let says = |words: &str| said.contains(words);
    let words = if says("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        format!(
            "the host key of {host} is not the one that is known. Somebody may be in between; if it was \
             made anew on purpose, forget the old one: ssh-keygen -R {}",
            key_name(remote)
        )
    } else if says("Host key verification failed") {
        let command = command(remote);
        format!("the host key of {host} is not known here; compare it and say yes once: {command}")
    } else if says("Permission denied (") {
        let account = remote.account();
        format!("{account} is not let in: {}", last(said))
    } else if said.is_empty() {
        format!("{} lets nobody run commands there", remote.account())
    } else {
        last(said).to_owned()
    };
    io::Error::other(format!("ssh: {words}"))
}

fn missing(remote: &Remote, others: &str) -> io::Error {
    let Remote { socket, host, .. } = remote;
    let mut words = format!("there is no socket {socket} on {host}");
    if let Some(other) = others.split_whitespace().next() {
        let port = remote.port.map(|port| format!(":{port}")).unwrap_or_default();
        words = format!("{words}; there is ssh://{}{port}{other}", remote.account());
    }
    io::Error::new(io::ErrorKind::NotFound, words)
}

/// Returns the line that names the cause; what comes before it are warnings and greetings.
fn last(said: &str) -> &str {
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.strip_prefix("ssh: ").unwrap_or(line)
}

fn is_loss(line: &str) -> bool {
    ["Connection to", "Connection reset", "not responding", "Broken pipe", "Timeout, server"]
        .iter()
        .any(|words| line.contains(words))
}

/// Returns how a person gets there.
fn command(remote: &Remote) -> String {
    let port = remote.port.map(|port| format!("-p {port} ")).unwrap_or_default();
    format!("ssh {port}{}", remote.account())
}

/// Returns what known hosts are listed by.
fn key_name(remote: &Remote) -> String {
    match remote.port {
        Some(port) if port != 22 => format!("'[{}]:{port}'", remote.host),
        _ => remote.host.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote() -> Remote {
        Remote {
            program: "ssh".into(),
            user: Some("me".into()),
            host: "lab".into(),
            port: Some(2222),
            socket: "/run/x.sock".into(),
        }
    }

    #[test]
    fn what_ssh_says_is_told_with_what_to_do() {
        for (said, words) in [
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                "forget the old one: ssh-keygen -R '[lab]:2222'",
            ),
            ("Host key verification failed.", "say yes once: ssh -p 2222 me@lab"),
            ("me@lab: Permission denied (publickey).", "me@lab is not let in: me@lab: Permission"),
            (
                "ssh: Could not resolve hostname lab: Name or service not known",
                "ssh: Could not resolve hostname lab: Name or service not known",
            ),
            ("ssh: connect to host lab port 22: Connection refused\n", "Connection refused"),
            ("", "lets nobody run commands"),
        ] {
            let error = failure(said, &remote()).to_string();
            assert!(error.contains(words), "{error}");
        }
        let error = missing(&remote(), " /run/podman/podman.sock /other").to_string();
        assert!(error.ends_with("there is ssh://me@lab:2222/run/podman/podman.sock"), "{error}");
        assert!(missing(&remote(), "").to_string().ends_with("on lab"));
    }
}
