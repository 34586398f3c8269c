//! A project of its own on the real engine, gone at the end of the test.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use nself::{
    controller::{self, Options, Pass, Place, Project, Report},
    engine::{ReadOnly, docker::Docker},
    plan::{Plan, Policy, Release},
};
use tokio_util::sync::CancellationToken;

/// The image everything runs on that needs no service: a shell, `sleep`, nothing else.
pub(crate) const BASE: &str = "debian:bookworm-slim";

pub(crate) struct Stage {
    pub(crate) name: String,
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
        Self { name, folder: tempfile::tempdir().unwrap(), runtime }
    }

    /// Writes `nself.toml`: the project's head, then `body`.
    pub(crate) fn write(&self, body: &str) {
        let head = format!("[project]\nname = \"{}\"\n", self.name);
        let text = format!("{head}{}", body.replace("{name}", &self.name));
        std::fs::write(self.file(), text).unwrap();
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("nself.toml")
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            file: self.file(),
            environment: None,
            variables: BTreeMap::new(),
            authority: self.folder.path().join("ca"),
        }
    }

    pub(crate) fn load(&self) -> Project {
        controller::load(&self.place()).unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn engine(&self, project: &Project) -> Docker {
        let connected = Docker::connect("unix:///var/run/docker.sock", project.keyring.clone());
        self.runtime.block_on(connected).expect("these tests want a Docker engine on this machine")
    }

    /// Plans, on an engine that cannot write.
    pub(crate) fn plan(&self) -> Plan {
        self.look(false).plan
    }

    /// Looks for drift: reads contents of files as well.
    pub(crate) fn drift(&self) -> Plan {
        self.look(true).plan
    }

    fn look(&self, contents: bool) -> Pass {
        let project = self.load();
        let engine = ReadOnly::new(self.engine(&project));
        let policy = Policy::default();
        let planned = controller::plan(&engine, &project, &policy, contents);
        self.runtime.block_on(planned).unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub(crate) fn apply(&self) -> Report {
        self.apply_allowing(&[])
    }

    pub(crate) fn apply_allowing(&self, releases: &[&str]) -> Report {
        let allow = releases.iter().map(|text| text.parse::<Release>().unwrap()).collect();
        self.run(&Options { policy: Policy { allow }, ..Options::default() })
    }

    fn run(&self, options: &Options) -> Report {
        let mut project = self.load();
        let engine = self.engine(&project);
        let cancel = CancellationToken::new();
        let yes = async |_: &Pass| true;
        let applied = controller::apply(&engine, &mut project, options, yes, &|_, _| {}, &cancel);
        let report = self.runtime.block_on(applied).unwrap_or_else(|error| panic!("{error:?}"));
        report.expect("nobody said no")
    }

    /// Applies and insists that everything was done and nothing is left.
    pub(crate) fn converge(&self) {
        let report = self.apply();
        for (plan, applied) in &report.passes {
            for (step, outcome) in &applied.outcomes {
                assert_eq!(*outcome, nself::plan::Outcome::Done, "{:?}", plan.steps[*step].op);
            }
        }
        assert!(report.rest.is_empty(), "left: {}", gist(&report.rest));
        let plan = self.plan();
        assert!(plan.is_empty(), "not empty right after an apply: {}", gist(&plan));
    }

    /// Returns the name on the engine of a service's container.
    pub(crate) fn container(&self, service: &str) -> String {
        format!("{}-{service}", self.name)
    }

    /// Returns one value of `docker inspect`.
    pub(crate) fn inspect(name: &str, format: &str) -> String {
        docker(&["inspect", "--format", format, name])
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
    }
}

/// Returns what a plan says, in a few words a line.
pub(crate) fn gist(plan: &Plan) -> String {
    let mut lines = vec![String::new()];
    for change in &plan.changes.changes {
        lines.push(format!("{} {:?} {}", change.id, change.action, change.reason));
        for field in &change.fields {
            lines.push(format!(
                "    {} {:?} → {:?} by {:?}",
                field.path, field.before, field.after, field.mover
            ));
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
    let output = Command::new("docker")
        .env("DOCKER_API_VERSION", version)
        .args(arguments)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
