//! `nself watch` over a git repository, on a real engine: the program itself, killed and all.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use assert_cmd::cargo::cargo_bin;
use nself::{history::read_ledger, sync::Ledger};

use super::stage::{SOCKET, Stage, docker, eventually, try_docker};

/// A service that is ready once its health check, which the commit brings along, passes.
fn file(stage: &Stage, health: &str, level: &str) -> String {
    format!(
        r#"[project]
name = "{}"

[services.web]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
env = {{ LEVEL = "{level}" }}
health = {{ command = ["{health}"] }}
ready_within = "3s"
"#,
        stage.name
    )
}

/// A repository, and the program that follows it.
struct Followed<'a> {
    stage: &'a Stage,
    program: Option<Child>,
}

impl<'a> Followed<'a> {
    fn new(stage: &'a Stage) -> Self {
        let followed = Self { stage, program: None };
        followed.git(&["init", "-q", "-b", "main"]);
        followed
    }

    fn work(&self) -> PathBuf {
        self.stage.folder().join("work")
    }

    fn state(&self) -> PathBuf {
        self.stage.folder().join("state")
    }

    fn git(&self, words: &[&str]) {
        let work = self.work();
        std::fs::create_dir_all(&work).unwrap();
        let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
        let done =
            Command::new("git").args(identity).args(words).current_dir(work).output().unwrap();
        assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn push(&self, subject: &str, text: &str) {
        std::fs::write(self.work().join("nself.toml"), text).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", subject]);
        if self.program.is_some() {
            self.say(&["watch", "now"]);
        }
    }

    fn start(&mut self) {
        let log = std::fs::File::create(self.stage.folder().join("watch.log")).unwrap();
        let mut program = Command::new(cargo_bin("nself"));
        program.args(["watch", "--listen", "none", "--branch", "main", "--git"]);
        program.arg(format!("file://{}", self.work().display()));
        program.arg("--state").arg(self.state()).arg("--engine").arg(format!("unix://{SOCKET}"));
        program.env("XDG_DATA_HOME", self.stage.folder());
        let errors = log.try_clone().unwrap();
        let started = program.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        self.program = Some(started.unwrap());
        eventually("the loop listens", || {
            let socket = self.state().join("socket");
            std::os::unix::net::UnixStream::connect(socket)
                .map_err(|error| format!("{error}: {}", self.log()))
        });
    }

    /// Gives a command to the loop.
    fn say(&self, words: &[&str]) {
        let mut program = Command::new(cargo_bin("nself"));
        let done = program.args(words).arg("--state").arg(self.state()).output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn kill(&mut self) {
        let mut program = self.program.take().unwrap();
        program.kill().unwrap();
        program.wait().unwrap();
    }

    fn ledger(&self) -> Ledger {
        read_ledger(&self.state()).unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.stage.folder().join("watch.log")).unwrap_or_default()
    }

    fn until_applied(&self, subject: &str) {
        eventually(&format!("{subject} is applied"), || {
            let applied = self.ledger().applied.map(|revision| revision.subject);
            if applied.as_deref() == Some(subject) { Ok(()) } else { Err(self.log()) }
        });
    }

    fn level(&self) -> String {
        let web = self.stage.container("web");
        let env = Stage::inspect(&web, "{{range .Config.Env}}{{println .}}{{end}}");
        let level = env.lines().find_map(|line| line.strip_prefix("LEVEL="));
        level.unwrap_or_default().to_owned()
    }
}

impl Drop for Followed<'_> {
    fn drop(&mut self) {
        if self.program.is_some() {
            self.kill();
        }
    }
}

#[test]
fn a_push_is_brought_about_a_bad_one_is_undone_and_the_next_one_is_too() {
    let stage = Stage::new("gitops");
    let mut followed = Followed::new(&stage);
    followed.push("one", &file(&stage, "true", "one"));
    followed.start();
    followed.until_applied("one");
    assert_eq!(followed.level(), "one");
    let id = Stage::inspect(&stage.container("web"), "{{.Id}} {{.State.StartedAt}}");

    followed.push("bad", &file(&stage, "false", "bad"));
    eventually("it is condemned", || {
        let bad = followed.ledger().quarantine.map(|bad| bad.revision.subject);
        if bad.as_deref() == Some("bad") { Ok(()) } else { Err(followed.log()) }
    });
    assert_eq!(followed.level(), "one");

    // What worked is looked after meanwhile.
    docker(&["rm", "-f", &stage.container("web")]);
    eventually("it is made again", || try_docker(&["inspect", &stage.container("web")]));
    eventually("it is what worked", || match followed.level() {
        level if level == "one" => Ok(()),
        level => Err(level),
    });
    assert_ne!(Stage::inspect(&stage.container("web"), "{{.Id}} {{.State.StartedAt}}"), id);
    assert!(followed.ledger().quarantine.is_some());

    // A file that is wrong touches nothing.
    followed.push("wrong", "[project]\nname = \"other name\"\n");
    eventually("it is condemned", || {
        let bad = followed.ledger().quarantine.map(|bad| bad.revision.subject);
        if bad.as_deref() == Some("wrong") { Ok(()) } else { Err(followed.log()) }
    });
    assert_eq!(followed.level(), "one");

    followed.push("fixed", &file(&stage, "true", "two"));
    followed.until_applied("fixed");
    assert_eq!((followed.level().as_str(), followed.ledger().quarantine), ("two", None));
}

#[test]
fn killed_at_any_moment_it_goes_on_where_it_was() {
    let stage = Stage::new("killedwatch");
    let mut followed = Followed::new(&stage);
    followed.push("0", &file(&stage, "true", "0"));
    followed.start();
    followed.until_applied("0");
    for round in 1..=6u64 {
        let level = round.to_string();
        followed.push(&level, &file(&stage, "true", &level));
        // A little later each time: while it fetches, looks, makes, waits, tidies, writes down.
        std::thread::sleep(std::time::Duration::from_millis(round * 90));
        followed.kill();
        followed.start();
        followed.until_applied(&level);
        assert_eq!(followed.level(), level);
    }
    let label = format!("label=dev.nself.project={}", stage.name);
    let all = docker(&["ps", "-aq", "--filter", &label]);
    assert_eq!(all.split_whitespace().count(), 1, "nothing is left over: {}", followed.log());
}
