//! A project of its own on the real engine, gone at the end of the test.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use nself::{
    controller::{self, Goal, Options, Pass, Place, Project, Report},
    engine::{ReadOnly, docker::Docker},
    plan::{Event, Outcome, Plan, Policy, Release},
    report::{self, Style},
};
use tokio_util::sync::CancellationToken;

/// The image everything runs on that needs no service: a shell, `sleep`, nothing else.
pub(crate) const BASE: &str = "debian:bookworm-slim";

/// Where the engine answers.
pub(crate) const SOCKET: &str = "/var/run/docker.sock";

pub(crate) struct Stage {
    pub(crate) name: String,
    /// The environment chosen, as with `-e`.
    pub(crate) environment: Option<String>,
    /// The host's ports of the gateway.
    pub(crate) ports: [u16; 2],
    /// Every line that was told while applying.
    pub(crate) told: Mutex<Vec<String>>,
    /// Volumes that go with the stage, and that nothing else tells to be of it.
    strays: Mutex<Vec<String>>,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Stage {
    /// Sets up an empty project. Its name is in `{name}` of whatever is written with [`Stage::write`].
    pub(crate) fn new(purpose: &str) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}x{number}-{purpose}", std::process::id());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        Self {
            name,
            environment: None,
            ports: [(); 2].map(|()| crate::port::free()),
            told: Mutex::default(),
            strays: Mutex::default(),
            folder: tempfile::tempdir().unwrap(),
            runtime,
        }
    }

    /// Writes `nself.toml`: the project's head, then `body`, then what is true of this machine only.
    pub(crate) fn write(&self, body: &str) {
        let head = format!("[project]\nname = \"{}\"\n", self.name);
        let body = body.replace("{name}", &self.name);
        std::fs::write(self.file(), format!("{head}{body}{}", self.machine())).unwrap();
    }

    /// Returns the tables that keep a project to this machine: images made here, ports that are free.
    pub(crate) fn machine(&self) -> String {
        let [http, https] = self.ports;
        let ports = format!("http_port = {http}\nhttps_port = {https}");
        // The bundle is part of an image's tag: with the one that everybody takes, images are shared.
        let bundle = std::env::var("SSL_CERT_FILE");
        let bundle = bundle.unwrap_or_else(|_| "/etc/ssl/certs/ca-certificates.crt".to_owned());
        let bundle = Path::new(&bundle).canonicalize();
        let bundle = bundle.map(|path| format!("\nca_bundle = \"{}\"", path.display()));
        let images = format!("source = \"build\"{}", bundle.unwrap_or_default());
        format!("\n[gateway]\n{ports}\n[images]\n{images}\n")
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder().join("nself.toml")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the certificate of the authority that vouches for the gateway.
    pub(crate) fn authority(&self) -> PathBuf {
        self.place().authority.join("ca.pem")
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            file: self.file(),
            environment: self.environment.clone(),
            variables: BTreeMap::new(),
            authority: self.folder.path().join("ca"),
        }
    }

    pub(crate) fn load(&self) -> Project {
        controller::load(&self.place()).unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub(crate) fn engine(&self, project: &Project) -> Docker {
        self.engine_at(SOCKET, project)
    }

    fn engine_at(&self, socket: &str, project: &Project) -> Docker {
        let address = format!("unix://{socket}");
        let connected = Docker::connect(&address, project.keyring.clone());
        self.block_on(connected).expect("these tests want a Docker engine on this machine")
    }

    /// Runs something to its end.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Runs something beside the test, until the stage is gone.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }

    /// Plans, on an engine that cannot write.
    pub(crate) fn plan(&self) -> Plan {
        self.pass().plan
    }

    /// Looks for drift, as a clone without the secrets may.
    pub(crate) fn drift(&self) -> Plan {
        self.look(SOCKET, true).plan
    }

    /// Plans, and returns what the plan was made from as well.
    pub(crate) fn pass(&self) -> Pass {
        self.look(SOCKET, false)
    }

    /// Looks at the engine that answers at `socket`.
    pub(crate) fn look(&self, socket: &str, without_vault: bool) -> Pass {
        let project = self.load();
        let engine = ReadOnly::new(self.engine_at(socket, &project));
        let options = Options::default();
        let planned = controller::plan(&engine, &project, &options, without_vault);
        self.block_on(planned).unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub(crate) fn apply(&self) -> Report {
        self.apply_allowing(&[])
    }

    pub(crate) fn apply_allowing(&self, releases: &[&str]) -> Report {
        let allow = releases.iter().map(|text| text.parse::<Release>().unwrap()).collect();
        self.run(&Options { policy: Policy { allow }, ..Options::default() })
    }

    pub(crate) fn towards(&self, goal: Goal) -> Report {
        self.run(&Options { goal, ..Options::default() })
    }

    pub(crate) fn destroy(&self, releases: &[&str]) -> Report {
        let allow = releases.iter().map(|text| text.parse::<Release>().unwrap()).collect();
        let policy = Policy { allow };
        self.run(&Options { policy, destroy: true, ..Options::default() })
    }

    fn run(&self, options: &Options) -> Report {
        let mut project = self.load();
        let engine = self.engine(&project);
        let cancel = CancellationToken::new();
        let asked = AtomicU32::new(0);
        let yes = async |_: &Pass| {
            asked.fetch_add(1, Ordering::Relaxed);
            true
        };
        let tell = |plan: &Plan, event: Event| {
            let line = report::line(plan, &event, Style::plain()).unwrap_or_default();
            self.told.lock().unwrap().extend([line, report::json::event(plan, &event)]);
        };
        let applied = controller::apply(&engine, &mut project, options, yes, &tell, &cancel);
        let report = self.block_on(applied).unwrap_or_else(|error| panic!("{error:?}"));
        // Nobody else is at work here, so what was agreed on is what is done.
        assert_eq!(asked.into_inner(), 1, "asked more than once");
        report.expect("nobody said no")
    }

    /// Applies and insists that everything was done and nothing is left.
    pub(crate) fn converge(&self) {
        self.is_converged(&self.apply());
    }

    /// Insists that everything was done and nothing is left.
    pub(crate) fn is_converged(&self, report: &Report) {
        for (plan, applied) in &report.passes {
            for (step, outcome) in &applied.outcomes {
                assert_eq!(*outcome, Outcome::Done, "{:?}", plan.steps[*step].op);
            }
        }
        assert!(report.rest.is_empty(), "left: {}", gist(&report.rest));
        let plan = self.plan();
        assert!(plan.is_empty(), "not empty right after an apply: {}", gist(&plan));
    }

    /// Asks for a page through the gateway, trusting nobody but the project's authority.
    pub(crate) fn ask(&self, label: &str) -> Result<String, String> {
        let [_, port] = self.ports;
        let domain = format!("{}.localhost", self.name);
        let host = if label.is_empty() { domain } else { format!("{label}.{domain}") };
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "20", "--cacert"]);
        curl.arg(self.authority()).args(["--noproxy", "*", "--resolve"]);
        curl.arg(format!("{host}:{port}:127.0.0.1")).arg(format!("https://{host}:{port}/"));
        output(curl)
    }

    /// Returns the name on the engine of a service's container.
    pub(crate) fn container(&self, service: &str) -> String {
        format!("{}-{service}", self.name)
    }

    /// Returns one value of `docker inspect`.
    pub(crate) fn inspect(name: &str, format: &str) -> String {
        docker(&["inspect", "--format", format, name])
    }

    /// Sees to it that the volumes without a name of a container go in the end: nself leaves them where they are,
    /// for what may be in them.
    pub(crate) fn own_nameless_volumes(&self, container: &str) {
        let names = Self::inspect(container, "{{range .Mounts}}{{.Name}} {{end}}");
        let is_id =
            |name: &&str| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let nameless = names.split_whitespace().filter(is_id).map(str::to_owned);
        self.strays.lock().unwrap().extend(nameless);
    }

    /// Returns what tells a container from another one, and one run of it from another.
    pub(crate) fn life(&self, service: &str) -> String {
        Self::inspect(&self.container(service), "{{.Id}} {{.State.StartedAt}}")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // By label first; then by name, for what a test made without our labels.
        let label = format!("label=dev.nself.project={}", self.name);
        let name = format!("name={}", self.name);
        for filter in [&label, &name] {
            let ids = try_docker(&["ps", "-aq", "--filter", filter]);
            for id in ids.unwrap_or_default().split_whitespace() {
                let _ = try_docker(&["rm", "-f", "-v", id]);
            }
            for class in ["network", "volume"] {
                let ids = try_docker(&[class, "ls", "-q", "--filter", filter]);
                for id in ids.unwrap_or_default().split_whitespace() {
                    let _ = try_docker(&[class, "rm", id]);
                }
            }
        }
        for volume in self.strays.get_mut().unwrap() {
            let _ = try_docker(&["volume", "rm", volume]);
        }
    }
}

/// Returns what a plan says, in a few words a line.
pub(crate) fn gist(plan: &Plan) -> String {
    let mut lines = vec![String::new()];
    for change in &plan.changes.changes {
        lines.push(format!("{} {:?} {}", change.id, change.action, change.reason));
        for field in &change.fields {
            let [before, after] = [&field.before, &field.after].map(|value| {
                let text = format!("{value:?}");
                text.chars().take(100).collect::<String>()
            });
            lines.push(format!("    {} {before} → {after} by {:?}", field.path, field.mover));
        }
    }
    lines.extend(plan.held.iter().map(|held| format!("held {}", held.release)));
    lines.join("\n")
}

/// Runs the engine's command line and returns what it printed, trimmed.
pub(crate) fn docker(arguments: &[&str]) -> String {
    try_docker(arguments).unwrap_or_else(|error| panic!("docker {arguments:?}: {error}"))
}

pub(crate) fn try_docker(arguments: &[&str]) -> Result<String, String> {
    // A client newer than the engine has to be told which words the engine understands.
    static VERSION: OnceLock<String> = OnceLock::new();
    let version = VERSION.get_or_init(|| {
        let asked =
            Command::new("docker").args(["version", "--format", "{{.Server.APIVersion}}"]).output();
        String::from_utf8_lossy(&asked.expect("the docker command").stdout).trim().to_owned()
    });
    let mut command = Command::new("docker");
    command.env("DOCKER_API_VERSION", version).args(arguments);
    output(command)
}

fn output(mut command: Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Tries until it comes true, for what an engine or a service does in its own time.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(error) if begin.elapsed() > PATIENCE => panic!("{what}: {error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

const PATIENCE: Duration = Duration::from_mins(1);
