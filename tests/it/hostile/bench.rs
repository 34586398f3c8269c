//! An engine of our own, which can be killed, filled up and closed off.
//!
//! It runs in namespaces of its own: an engine without a default bridge removes the one of the machine it
//! is on, and whatever it started has to go when it does.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::scene::eventually;

/// A shell, `sleep` and `cat`, with the libraries they need: loaded in no time, and small enough for a
/// small disk.
pub(super) const IMAGE: &str = "tiny:1";
const PROGRAMS: [&str; 3] = ["/bin/sh", "/bin/sleep", "/bin/cat"];

/// The engine.
pub(super) struct Bench {
    folder: tempfile::TempDir,
    /// How much its disk holds, such as `32m`; the machine's when empty.
    disk: &'static str,
    daemon: Option<Child>,
}

impl Bench {
    /// Starts an engine that has [`IMAGE`].
    pub(super) fn new() -> Self {
        Self::with_disk("")
    }

    /// Starts an engine whose disk holds only so much.
    pub(super) fn with_disk(disk: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The socket's own mode says who may use it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut bench = Self { folder, disk, daemon: None };
        bench.start();
        bench.load();
        bench
    }

    pub(super) fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(super) fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// Starts the engine, again if it was killed.
    pub(super) fn start(&mut self) {
        let place = self.folder.path();
        // What a killed one left says that it still runs.
        for left in ["pid", "docker.sock"] {
            let _ = fs::remove_file(place.join(left));
        }
        let _ = fs::remove_dir_all(place.join("exec"));
        fs::create_dir_all(place.join("data")).unwrap();
        let mount = match self.disk {
            "" => String::new(),
            size => format!("mount -t tmpfs -o size={size} tmpfs data && "),
        };
        let script = format!(
            "{mount}exec dockerd --data-root \"$PWD/data\" --exec-root \"$PWD/exec\" --pidfile \
             \"$PWD/pid\" -H \"unix://$PWD/docker.sock\" --bridge=none --iptables=false \
             --ip-forward=false --ip-masq=false"
        );
        let log = fs::File::create(place.join("log")).unwrap();
        // It goes with the test, even when that is killed.
        let daemon = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare"])
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", &script])
            .current_dir(place)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("these tests want unshare, and the right to use it");
        self.daemon = Some(daemon);
        eventually("the engine answers", || self.try_docker(&["version"]).is_some());
    }

    /// Kills the engine, and with it all that runs on it, as when the power goes.
    pub(super) fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    /// Runs the engine's command line and returns what it printed.
    pub(super) fn docker(&self, words: &[&str]) -> String {
        self.try_docker(words).unwrap_or_else(|| panic!("docker {words:?} failed"))
    }

    pub(super) fn try_docker(&self, words: &[&str]) -> Option<String> {
        let output = Command::new("docker")
            .env("DOCKER_API_VERSION", "1.41")
            .arg("-H")
            .arg(self.address())
            .args(words)
            .output()
            .expect("the docker command");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    /// Returns a line for each container: its name, what it does, and the command it was given.
    pub(super) fn containers(&self) -> Vec<String> {
        let format = "{{.Names}} {{.State}} {{.Command}}";
        let listed = self.docker(&["ps", "-a", "--no-trunc", "--format", format]);
        let mut lines: Vec<String> = listed.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Returns the names of all volumes but the one nself remembers by.
    pub(super) fn volumes(&self) -> Vec<String> {
        let listed = self.docker(&["volume", "ls", "-q"]);
        listed.lines().filter(|name| !name.contains(".nself.")).map(str::to_owned).collect()
    }

    fn load(&self) {
        let root = self.folder.path().join("root");
        for program in PROGRAMS {
            copy(Path::new(program), &root);
            let linked = Command::new("ldd").arg(program).output().unwrap();
            let linked = String::from_utf8(linked.stdout).unwrap();
            for library in linked.split_whitespace().filter(|word| word.starts_with('/')) {
                copy(Path::new(library), &root);
            }
        }
        fs::create_dir(root.join("tmp")).unwrap();
        let script = format!(
            "tar -C root -c . | DOCKER_API_VERSION=1.41 docker -H {} import - {IMAGE}",
            self.address()
        );
        let loaded = Command::new("sh")
            .args(["-c", &script])
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // So that nothing of the containers stays behind in the machine's control groups.
        if let Some(ids) = self.try_docker(&["ps", "-aq"]) {
            let mut words = vec!["rm", "-f"];
            words.extend(ids.split_whitespace());
            self.try_docker(&words);
        }
        self.kill();
    }
}

fn copy(file: &Path, root: &Path) {
    let to = root.join(file.strip_prefix("/").unwrap());
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(file, to).unwrap();
}
